"""What a model is: its class, how many parameters it has, and the type of each layer that owns some."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from clinometer.objective.params_module import ParamsModule
from clinometer.objective.reuse import owner_of
from clinometer.recorder.facts.part import class_of, part, text

_MOST = 1000  # layers
_INNER = ("_orig_mod", "module")  # what a wrapper calls the model inside: torch.compile, and DDP with its like
_COMPILED = "_orig_mod."
_SIZES = (
    ("in_features", "out_features"),
    ("in_channels", "out_channels"),
    ("input_size", "hidden_size"),
    ("num_embeddings", "embedding_dim"),
    ("num_features",),
    ("num_channels",),
    ("normalized_shape",),
    ("embed_dim",),
    ("d_model",),
)  # what torch's modules call the size of what comes in, and of what goes out


def model_facts(model: nn.Module) -> dict[str, Any]:
    """The facts about a model, without what cannot be read.

    Example:
        >>> model_facts(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)))
        {'class': 'Sequential', 'parameters': 15, 'layers': {'0': 'Linear 2→3', '1': 'BatchNorm1d 3'}}
    """
    facts = {"class": part(_class, model), "parameters": part(_parameters, model), "layers": part(layers, model)}
    return {name: fact for name, fact in facts.items() if fact}


def layers(model: nn.Module) -> dict[str, str]:
    """The type of each layer that owns parameters, by the name that rows have for it; of bare tensors the shape."""
    owned: dict[str, dict[str, Tensor]] = {}
    for name, parameter in model.named_parameters():
        owned.setdefault(owner_of(name), {})[name.rpartition(".")[2]] = parameter
    modules = dict(model.named_modules())
    found: dict[str, str] = {}
    for owner, parameters in list(owned.items())[:_MOST]:
        if owner in modules and owner:
            found[_shown(owner)] = part(layer_text, modules[owner], parameters) or ""
        elif owner:
            found[_shown(owner)] = part(_largest, parameters) or ""
        else:  # what the model itself owns has no name but the parameter's
            found |= {_shown(name): part(_largest, {name: each}) or "" for name, each in parameters.items()}
    return {name: kind for name, kind in found.items() if kind}


def layer_text(module: nn.Module, parameters: Mapping[str, Tensor]) -> str:
    """A layer's class and its sizes, or the shape of its largest weight.

    Example:
        >>> layer_text(nn.Conv2d(3, 16, 3), {}), layer_text(nn.LayerNorm((4, 8)), {})
        ('Conv2d 3→16', 'LayerNorm 4×8')
    """
    given = vars(module)
    for names in _SIZES:
        if all(_is_size(given.get(name)) for name in names):
            return f"{class_of(module)} {'→'.join(shape_text(given[name]) for name in names)}"
    return f"{class_of(module)} {_largest(parameters)}".rstrip()


def shape_text(shape: int | Sequence[int]) -> str:
    """Sizes with crosses between them.

    Example:
        >>> shape_text((16, 3)), shape_text(128), shape_text(())
        ('16×3', '128', 'scalar')
    """
    sizes = [shape] if isinstance(shape, int) else list(shape)
    return "×".join(str(int(size)) for size in sizes) or "scalar"


def _largest(parameters: Mapping[str, Tensor]) -> str:
    """The shape of the tensor with the most dimensions."""
    return shape_text(max((each.shape for each in parameters.values()), key=len)) if parameters else ""


def _class(model: nn.Module) -> str:
    if isinstance(model, ParamsModule):
        return "a mapping of tensors"
    kinds: list[str] = []
    inner: Any = model
    while isinstance(inner, nn.Module) and len(kinds) < 5:
        kinds.append(class_of(inner))
        wraps = "Parallel" in kinds[-1] or kinds[-1] == "OptimizedModule"
        children = dict(inner.named_children()) if wraps else {}
        inner = next((children[name] for name in _INNER if name in children), None)
    return " in ".join(reversed(kinds))


def _parameters(model: nn.Module) -> int | None:
    parameters = list(model.parameters())
    # The older FSDP keeps this process's piece of all in one: how many there are is not known here.
    return None if any(class_of(each) == "FlatParameter" for each in parameters) else sum(p.numel() for p in parameters)


def _is_size(value: Any) -> bool:
    return type(value) is int or (
        isinstance(value, tuple) and len(value) > 0 and all(type(each) is int for each in value)
    )


def _shown(name: str) -> str:
    return text(name.replace(_COMPILED, ""))
