"""The paper's two networks, and the data of the deep linear one."""
