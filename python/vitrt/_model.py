# ===- _model.py - Models --------------------------------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#

import os
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

from . import _core
from ._compile import Path, arguments_of
from ._objects import Folder, folder_of
from ._pictures import Picture, is_one, prepare_all
from ._tools import use_compiler
from ._train import Trainer, finetune

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

Predictions = List[Tuple[str, float]]
Report = Optional[Callable[[int], object]]

# Models that a fork must not find in the middle of a call, in the order of their making.
_alive: "weakref.WeakValueDictionary[int, Model]" = weakref.WeakValueDictionary()
_held: List["Model"] = []


def _before_fork() -> None:
    _held.extend(_alive[key] for key in sorted(_alive.keys()) if key in _alive)
    for model in _held:
        model._core.before_fork()


def _after_fork(is_child: bool) -> None:
    for model in reversed(_held):
        model._core.after_fork(is_child)
    _held.clear()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=lambda: _after_fork(False),
    after_in_child=lambda: _after_fork(True),
)


class AttentionMap:
    """Where a model looks in a picture; see Model.attention_map. `numpy.asarray(map)` and
    `map.weights` are the weight of each patch, float32 [rows, columns]."""

    def __init__(self, core: Any, picture: List[Any], found: Tuple[Any, int, int]):
        self._core, self._picture = core, picture
        self.weights: "NDArray[numpy.float32]" = found[0]
        #: Tokens before the patches: class, distillation and registers.
        self.tokens_before_patches: int = found[1]
        #: Whether the weights are the class token's; else the mean over those of the patches.
        self.of_class_token: bool = found[2] >= 0

    @property
    def shape(self) -> Tuple[int, int]:
        return self.weights.shape

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> Any:
        import numpy

        return numpy.array(self.weights, dtype=dtype) if copy else numpy.asarray(self.weights, dtype=dtype)

    def __repr__(self) -> str:
        return f"<vitrt.AttentionMap of {self.shape[0]} x {self.shape[1]} patches>"

    def save(self, path: Union[str, "os.PathLike[str]"]) -> None:
        """Writes a PNG: the part of the picture that the model sees with the map over it, from
        dark blue (least) over green to yellow (most)."""
        self._core.save_attention(self._picture, self.weights, os.fsencode(path))


class Model:
    """A model that is ready to run. Made by vitrt.load.

    May be called from any number of threads at once: each call has a session of its own over the
    same weights, at most as many as cores; the GIL is released meanwhile. The same input gives
    the same bits whatever runs beside it. Pickling keeps what the model was loaded from, and
    loads it again. After os.fork() the child may go on using it.
    """

    def __init__(self, core: Any, source: str, options: Dict[str, Any], folder: Optional[Folder] = None):
        self._core = core
        self._folder = folder  # What a model in memory was written to; lives as long as this.
        self._source, self._options = source, options
        _alive[max(_alive.keys(), default=0) + 1] = self

    def __reduce__(self):
        if self._folder is not None:
            raise TypeError("a model that was loaded from memory cannot be pickled: save it, and load the folder")
        return _reload, (self._source, self._options)

    def __repr__(self) -> str:
        return f"<vitrt.Model {self._source!r} on {self.device}, {self._core.level()} in {self.precision}>"

    @property
    def source(self) -> str:
        """What the model was loaded from, absolute where it is a path."""
        return self._source

    @property
    def device(self) -> str:
        """What it runs on: "cpu", "vulkan:0", "cuda"."""
        return self._options["device"]

    @property
    def precision(self) -> str:
        """The type of the operands of products: "f32", "bf16" or "int8"."""
        return self._core.precision()

    @property
    def labels(self) -> List[str]:
        """The names of the classes; empty where the model has none."""
        return self._core.labels()

    @property
    def input(self) -> Tuple[str, Tuple[Optional[int], ...]]:
        """The name and the shape of the input, float32; None is the batch."""
        return self._core.input()

    @property
    def outputs(self) -> Dict[str, Tuple[Optional[int], ...]]:
        """The shapes of the model's own outputs, the default one first; None is the batch."""
        return self._core.outputs()

    def describe(self) -> Dict[str, Any]:
        """What the module holds: entries, kernels, tiles, parameters, memory plan."""
        import json

        return json.loads(self._core.describe())

    def __call__(self, x: Any, outputs: Sequence[str] = ()) -> "Dict[str, NDArray[Any]]":
        """Runs the model on a batch of prepared pictures.

        x: float32 [batch, channels, height, width], as `input` says: a NumPy array, or whatever
            has `__dlpack__` (torch, jax, cupy) in CPU memory. It is not copied unless it has to
            be made contiguous.
        outputs: names to compute, such as "logits", "hidden_3", "attention_11"; without any the
            model's own. What the module does not compute yet is compiled once.

        Returns new NumPy arrays by name. `torch.from_dlpack(y)` shares their memory.
        Raises vitrt.Error, also where an output holds a NaN or an infinity.
        """
        if isinstance(outputs, str):
            raise TypeError(f"outputs is a list of names, such as [{outputs!r}]")
        return self._core.run(x, list(outputs))

    def classify(
        self,
        pictures: Union[Picture, Sequence[Picture]],
        top: int = 5,
        threshold: Optional[float] = None,
        batch: int = 16,
        progress: Union[bool, Report] = False,
    ) -> Union[Predictions, List[Predictions]]:
        """The best classes of a picture, [(label, probability), ...] in descending order; of
        several pictures a list of such lists.

        pictures: one, or a sequence of: path, PIL image, array uint8 [height, width, 3].
        top: how many classes.
        threshold: the least probability, 0 to 1.
        batch: pictures that run at once.
        progress: True shows it (with tqdm where that is there); a function is called with the
            number of pictures done.

        Probabilities are what the model's own library gives: of the softmax, or of the sigmoid
        where several classes may apply; the values themselves where it is a regression.
        Raises vitrt.Error for the first picture that cannot be read.
        """
        listed = self._prepare(pictures)
        with _progress(progress, len(listed), "classify") as report:
            found = self._core.classify(listed, top, -1 if threshold is None else threshold, batch, report)
        return found[0] if is_one(pictures) else found

    def embed(
        self,
        pictures: Union[Picture, Sequence[Picture]],
        normalize: bool = False,
        output: str = "",
        batch: int = 8,
        progress: Union[bool, Report] = False,
    ) -> "NDArray[numpy.float32]":
        """A vector for each picture, float32 [pictures, width], also of a single one.

        pictures, batch, progress: as in classify.
        normalize: scale each vector to length 1.
        output: the output to take; without it image_embeds, else pooler_output, else features
            (what a classifier of the family reads).

        Pictures are read and prepared in threads while the model runs.
        Raises vitrt.Error for the first picture that cannot be read.
        """
        listed = self._prepare(pictures)
        with _progress(progress, len(listed), "embed") as report:
            return self._core.embed(listed, output, normalize, batch, report)

    def attention_map(
        self, picture: Picture, layer: Optional[int] = None, head: Optional[int] = None, rollout: bool = False
    ) -> AttentionMap:
        """Where the model looks: the attention of the class token to each patch, or the mean over
        the patches where there is no class token.

        layer: counted from 0; without it the last.
        head: counted from 0; without it the mean over heads.
        rollout: all layers, combined (Abnar and Zuidema 2020), in place of one.
        """
        if not is_one(picture):
            raise TypeError("attention_map takes one picture")
        for name, value in (("layer", layer), ("head", head)):
            if value is not None and (rollout or value < 0):
                raise ValueError(f"{name}={value}: 0 or more, and not beside rollout=True")
        listed = self._prepare(picture)
        found = self._core.attention_map(
            listed, -1 if layer is None else layer, -1 if head is None else head, rollout
        )
        return AttentionMap(self._core, listed, found)

    def finetune(
        self,
        train: Optional[Path] = None,
        *,
        test: Optional[Path] = None,
        epochs: int = 10,
        batch: int = 64,
        lr: float = 1e-3,
        classes: Union[Sequence[str], int, None] = None,
        out: Optional[Path] = None,
        callback: Optional[Callable[[Dict[str, Any]], object]] = None,
        **options: Any,
    ) -> Trainer:
        """Trains a copy of the model: on a folder of pictures, or in the host's own loop.

        train: a folder with one folder of pictures per class (or CIFAR-10, MNIST files); the run
            has ended when the trainer is returned. None: nothing runs, and the host calls
            trainer.step(images, labels, lr).
        test: the folder to evaluate on after each epoch; by default the test part of `train`,
            where it has one.
        epochs, batch, lr: passes over the data, pictures per step, learning rate.
        classes: for a loop of your own, the names of the classes, or their number; by default
            the model's. A new head is made where they differ.
        out: a folder for checkpoints (best, last), log.jsonl and curves; by default a temporary
            one.
        callback: called with each record of the log, a dict whose "kind" is "step" or "epoch"
            among others (docs/training.md). An exception in it, and Ctrl-C, end the run after
            the step, with a checkpoint in `out`.
        options: every option of `vit-run train --help` with underscores, such as
            optimizer="sgd", weight_decay=0.05, schedule="cosine", warmup="1e", frozen="*layer*",
            label_smoothing=0.1, flip=True, resume=True.

        The model itself does not change: trainer.save("tuned"), then vitrt.load("tuned").
        Raises vitrt.Error.
        """
        options = dict(options, test=test, epochs=epochs, batch=batch, lr=lr)
        return finetune(self._source, self._options, train, classes, out, callback, options)

    def _prepare(self, pictures: Union[Picture, Sequence[Picture]]) -> List[Any]:
        return prepare_all(pictures, self._core.applies_exif())


class _progress:
    """`with _progress(...) as report`: what the extension calls with the pictures done."""

    def __init__(self, wanted: Union[bool, Report], total: int, what: str):
        self._wanted, self._total, self._what = wanted, total, what
        self._bar: Any = None

    def __enter__(self) -> Report:
        if callable(self._wanted):
            return self._wanted
        if not self._wanted:
            return None
        try:
            from tqdm.auto import tqdm
        except ImportError:
            return None
        self._bar = tqdm(total=self._total, desc=self._what, unit="images")
        return lambda done: self._bar.update(done - self._bar.n)

    def __exit__(self, *exception: Any) -> None:
        if self._bar is not None:
            self._bar.close()


def _reload(source: str, options: Dict[str, Any]) -> Model:
    options = dict(options)
    return load(source, cache=not options.pop("no_cache"), quiet=True, **options)


def load(
    source: Union[str, "os.PathLike[str]", Any],
    *,
    config: Optional[Mapping[str, Any]] = None,
    preprocessing: Optional[Mapping[str, Any]] = None,
    device: str = "cpu",
    precision: Optional[str] = None,
    threads: int = 0,
    memory: Union[int, str] = 0,
    image_size: Union[int, Tuple[int, int], None] = None,
    weights: Union[str, "os.PathLike[str]", None] = None,
    level: Optional[str] = None,
    seed: int = 0,
    allow_unused: bool = False,
    cache: bool = True,
    verbose: bool = False,
    quiet: bool = False,
) -> Model:
    """Loads a model.

    source: a .vitm module, a .mlir text, a folder of transformers, timm, open_clip, torchvision
        or vit-pytorch, or a name in the Hugging Face hub's cache ("facebook/dinov2-small").
        Texts and folders are compiled (pip install vitrt[compile]) and kept in the cache that
        vit-run uses, so that the second time takes no compiler. A module holds native code: load
        only what you would run as a program.
        Or a model in memory: one of transformers or timm, or a state dict (arrays or tensors by
        name) with `config`. It is copied.
    config: of a state dict, what its library writes to config.json.
    preprocessing: of a model in memory, what preprocessor_config.json of transformers says.
    device: "cpu", "vulkan", "vulkan:N", "vulkan:PART OF NAME", "cuda" or "cuda:N".
    precision: of products: "f32", "tf32" (on CUDA), "f16", "bf16" or "int8"; without it f32, or a module's
        default.
    threads: of a call on the CPU; 0: VIT_NUM_THREADS, or one per core.
    memory: workspace that a call may use, in bytes or as "512M" or "2G"; 0: what the machine has.
    image_size: pixels, or (height, width), in place of the model's own.
    weights: for a .mlir text, a file of safetensors or torch.save.
    level: at most this level of the device, such as "avx2".
    seed: for parameters that a text draws.
    allow_unused: weights that the model does not use are no error.
    cache: whether compiled models are kept and found.
    verbose, quiet: more, or less, on standard error.

    Raises vitrt.Error.
    """
    folder = None
    if not isinstance(source, (str, bytes, os.PathLike)):
        folder = folder_of(source, config, preprocessing)
        source = folder.path
    elif config is not None or preprocessing is not None:
        raise TypeError("config= and preprocessing= go with a model in memory; a folder has files for them")
    path = os.fspath(source)
    if not isinstance(path, str) or "\0" in path:
        raise TypeError(f"source is {source!r}, not a path or a name")
    if os.path.exists(path):
        path = os.path.abspath(path)
    if isinstance(image_size, (tuple, list)):
        image_size = "x".join(map(str, image_size))
    if not path.endswith(".vitm"):
        use_compiler()
    # As command line options are called.
    options = dict(
        device=device,
        precision=precision or None,
        threads=threads,
        memory=memory or None,
        image_size=image_size,
        weights=None if weights is None else os.path.abspath(os.fspath(weights)),
        level=level or None,
        seed=seed,
        allow_unused=allow_unused,
        no_cache=not cache,
    )
    words = arguments_of(dict(options, verbose=verbose)) + ["--", path]
    return Model(_core.Model(words=words, quiet=quiet), path, options, folder)
