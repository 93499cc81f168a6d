"""Running an ONNX network: on the processor, on the threads it is given, with the ports its card names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tonmeister.errors import ModelError
from tonmeister.model_files.card import Port

__all__ = ["Network"]

_TYPES: Final = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
}
_ERRORS_ONLY: Final = 3


class Network:
    """A network whose operators were checked (`operators.check_operators`) by whoever makes this."""

    def __init__(
        self, data: bytes, inputs: tuple[Port, ...], outputs: tuple[Port, ...], *, threads: int
    ) -> None:
        self.inputs, self.outputs = inputs, outputs
        self._session = _session(data, threads)
        for ports, real, word in (
            (inputs, self._session.get_inputs(), "inputs"),
            (outputs, self._session.get_outputs(), "outputs"),
        ):
            if not _agree(ports, real):
                have = ", ".join(f"{p.name} {_TYPES.get(p.type, p.type)}{p.shape}" for p in real)
                raise ModelError(
                    f"the network's {word} are {have}, not those of its card: get the model again"
                )

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Outputs by name."""
        named = {port.name: _checked(inputs, port) for port in self.inputs}
        results = self._session.run([port.name for port in self.outputs], named)
        return {port.name: np.asarray(result) for port, result in zip(self.outputs, results, strict=True)}

    def asked_often(self, rows: int) -> Callable[[NDArray[Any]], NDArray[Any]]:
        """A function from one input to one output, both (rows, ...) in memory that is taken once; a third less overhead.

        What it returns is overwritten by its next call. Each caller needs a function of its own. Raises `ModelError` where
        the output has more or fewer rows.
        """
        (given,), (made,) = self.inputs, self.outputs
        heard, said = (
            np.zeros([rows if isinstance(n, str) else n for n in port.shape], port.dtype)
            for port in (given, made)
        )
        binding = self._session.io_binding()
        binding.bind_cpu_input(given.name, heard)
        binding.bind_output(made.name, "cpu", 0, said.dtype.type, said.shape, said.ctypes.data)
        try:
            self._session.run_with_iobinding(binding)
        except Exception as error:  # the library raises its own classes, none of them public
            reason = str(error).strip().splitlines()[0][:200]
            raise ModelError(
                f"the network's output is not as long as its input ({reason}): get the model again"
            ) from None

        def ask(x: NDArray[Any]) -> NDArray[Any]:
            heard[...] = x
            self._session.run_with_iobinding(binding)
            return said

        return ask


def _session(data: bytes, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    options.use_deterministic_compute = True
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library raises its own classes, none of them public
        reason = str(error).strip().splitlines()[0][:200]
        raise ModelError(f"the network cannot be run ({reason}): get the model again") from None


def _agree(ports: tuple[Port, ...], real: Any) -> bool:
    """Whether names, types and fixed dimensions are those of the card."""
    return len(ports) == len(real) and all(
        port.name == have.name
        and port.dtype == _TYPES.get(have.type)
        and len(port.shape) == len(have.shape)
        and all(isinstance(n, str) or n == m for n, m in zip(port.shape, have.shape, strict=True))
        for port, have in zip(ports, real, strict=True)
    )


def _checked(inputs: Mapping[str, NDArray[Any]], port: Port) -> NDArray[Any]:
    array = np.asarray(inputs[port.name])
    fits = array.ndim == len(port.shape) and all(
        isinstance(n, str) or n == have for n, have in zip(port.shape, array.shape, strict=True)
    )
    if not fits or array.dtype != np.dtype(port.dtype):
        raise ModelError(f"input is {array.dtype}{list(array.shape)}, and the network takes {port}")
    return array
