"""By which names the file of a study is known; to know that, nothing has to be imported."""

SUFFIXES = (".yaml", ".yml", ".py")
