# ===- _train.py - Training ------------------------------------------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#

import os
from typing import Any, Callable, Dict, List, Optional, Sequence, Union

from . import _core
from ._compile import Path, arguments_of
from ._objects import Folder

Record = Dict[str, Any]


class Trainer:
    """A model in training. Made by Model.finetune. One thread at a time; it cannot be pickled."""

    def __init__(self, words: List[str], classes: Sequence[str], folder: Optional[Any]):
        self._folder = folder  # A temporary one lives as long as the trainer.
        self._core = _core.Trainer(words=words, classes=list(classes))
        #: The records of the epochs of `finetune`, as in log.jsonl.
        self.history: List[Record] = []

    def __reduce__(self):
        raise TypeError("a trainer cannot be pickled: save it, and load the folder elsewhere")

    def __repr__(self) -> str:
        return f"<vitrt.Trainer of {len(self.classes)} classes after {self.steps} steps>"

    @property
    def classes(self) -> List[str]:
        """The names of the classes that are learned, in the order of the logits."""
        return self._core.classes()

    @property
    def steps(self) -> int:
        """Steps done."""
        return self._core.steps()

    def step(self, images: Any, labels: Any, lr: float) -> float:
        """One step of the optimizer on a batch of the host; returns its loss, the mean over the
        batch.

        images: float32 [batch, channels, height, width], prepared as for a call of the model:
            NumPy, or whatever has `__dlpack__`; not copied.
        labels: the classes, int32 or int64 [batch]; or float32 [batch, classes] where the model
            was compiled with soft targets.
        lr: the learning rate.

        All or nothing: a step that fails, or whose loss is not finite, changes nothing.
        Raises vitrt.Error.
        """
        if isinstance(labels, (list, tuple)):
            import numpy

            labels = numpy.asarray(labels)
        return self._core.step(images, labels, lr)[0]

    def save(self, folder: Path) -> None:
        """Writes the model as it is now to a folder that vitrt.load, vit-run and the model's own
        library read, whole or not at all. A folder of an earlier save is replaced and kept as
        FOLDER.previous."""
        self._core.save(os.fsencode(folder))

    def _train(self, callback: Optional[Callable[[Record], object]]) -> None:
        import json

        def on_record(text: str) -> None:
            record = json.loads(text)
            if record["kind"] == "epoch":
                self.history.append(record)
            if callback is not None:
                callback(record)

        self._core.train(on_record)


def finetune(
    source: str,
    model_options: Dict[str, Any],
    train: Optional[Path],
    classes: Union[Sequence[str], int, None],
    out: Optional[Path],
    callback: Optional[Callable[[Record], object]],
    options: Dict[str, Any],
) -> Trainer:
    """See Model.finetune."""
    folder = None
    if out is None:
        folder = Folder()
        out = os.path.join(folder.path, "run")
    if isinstance(classes, int):
        classes = [str(number) for number in range(classes)]
    given = dict(model_options, data=train, out=out, **options)
    trainer = Trainer(arguments_of(given) + ["--", source], classes or (), folder)
    if train is not None:
        trainer._train(callback)
    return trainer
