"""How many images of which size each data set gives."""

TRAINED = {"digits": 1_200, "cifar10": 8_192}  # the first training images: few, so that they can be learnt by heart
TUNED_ON = {"digits": 300, "cifar10": 5_000}  # the training images after these
SIDES = {"digits": 8, "cifar10": 16}  # CIFAR-10's are halved: four times the steps in the same time
CHANNELS = {"digits": 1, "cifar10": 3}
