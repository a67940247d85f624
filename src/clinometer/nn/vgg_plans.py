"""The layers of VGG networks, as data that needs no torch."""

Plan = tuple[int | str, ...]
POOL = "pool"

# Output channels of each convolution at width 1. The numbered ones are Simonyan and Zisserman's A, B, D, E.
PLANS: dict[str, Plan] = {
    "vgg_digits": (32, 32, POOL, 64, 64, POOL, 64, POOL),
    "vgg11": (64, POOL, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL),
    "vgg13": (64, 64, POOL, 128, 128, POOL, 256, 256, POOL, 512, 512, POOL, 512, 512, POOL),
    "vgg16": (64, 64, POOL, 128, 128, POOL, *(256,) * 3, POOL, *(512,) * 3, POOL, *(512,) * 3, POOL),
    "vgg19": (64, 64, POOL, 128, 128, POOL, *(256,) * 4, POOL, *(512,) * 4, POOL, *(512,) * 4, POOL),
}
