"""Running workers: here, or in disposable processes with time and memory limits."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from comix.core.errors import ComixError, ItemError, WorkspaceError
from comix.core.task import Item, Outcome, RunOptions, Worker


def run_here(todo: list[Item], build_worker: Callable[[], Worker], stop: threading.Event) -> Iterator[tuple[Item, Outcome]]:
    """Outcomes one after another, in this process."""
    worker = build_worker()
    for item in todo:
        if stop.is_set():
            return
        yield item, guarded(worker, item.payload)


def run_in_processes(
    todo: list[Item], build_worker: Callable[[], Worker], options: RunOptions, stop: threading.Event
) -> Iterator[tuple[Item, Outcome] | None]:
    """Outcomes as they come from ``options.workers`` processes; a hang or crash is one failed outcome.

    None now and then while nothing comes, so that the caller can save what it has.

    At most two inputs per worker are in flight, so memory does not grow with the number of inputs.
    """
    from pebble import ProcessPool

    waiting = iter(todo)
    flying: dict[Future[Outcome], Item] = {}
    pool = ProcessPool(
        max_workers=min(options.workers, len(todo)),
        context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(build_worker, options.memory_mb, os.getpid()),
    )
    with _single_threaded_libraries():
        try:
            while True:
                while not stop.is_set() and len(flying) < 2 * options.workers:
                    item = next(waiting, None)
                    if item is None:
                        break
                    flying[pool.schedule(_call_worker, args=[item.payload], timeout=options.timeout_s)] = item
                if not flying:
                    break
                finished, _ = wait(flying, timeout=0.5, return_when=FIRST_COMPLETED)
                if not finished:
                    yield None
                for future in finished:
                    yield flying.pop(future), _collect(future, options)
            pool.close()
        except BaseException:
            pool.stop()
            raise
        finally:
            pool.join()


class _single_threaded_libraries:  # noqa: N801  (used as a context manager)
    """One native thread per worker process: two workers on two cores must not fight over them."""

    _names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

    def __enter__(self) -> None:
        self._before = {name: os.environ.get(name) for name in self._names}
        for name in self._names:
            os.environ.setdefault(name, "1")

    def __exit__(self, *_: object) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)


def _collect(future: Future[Outcome], options: RunOptions) -> Outcome:
    from pebble import ProcessExpired

    try:
        return future.result()
    except TimeoutError:
        return Outcome("failed", "timeout", f"no result after {options.timeout_s:g} s", seconds=options.timeout_s)
    except ProcessExpired as error:
        return Outcome("failed", "worker_crashed", f"the worker process died (exit code {error.exitcode})")
    except MemoryError:
        return Outcome("failed", "out_of_memory", f"more than memory_mb={options.memory_mb} wanted")
    except ComixError:  # the worker itself could not be built: the user's mistake, not this input's
        raise
    except Exception:  # noqa: BLE001  (an outcome that does not travel between processes is one failed row)
        return Outcome("failed", "internal_error", traceback.format_exc(limit=-8))


def guarded(worker: Worker, payload: Any) -> Outcome:
    """The worker's outcome. `ItemError` becomes a failed one; so does our own bug, with its traceback in the row."""
    started = time.perf_counter()
    try:
        outcome = worker(payload)
    except ItemError as error:
        outcome = Outcome("failed", error.reason, error.detail, error.hint)
    except WorkspaceError as error:
        outcome = Outcome("failed", "write_failed", str(error))
    except MemoryError as error:
        outcome = Outcome("failed", "out_of_memory", str(error))
    except Exception:  # noqa: BLE001  (one bad page never stops a run; the row shows the whole traceback)
        outcome = Outcome("failed", "internal_error", traceback.format_exc(limit=-8))
    return Outcome(
        outcome.status, outcome.reason, outcome.detail, outcome.hint, outcome.result, outcome.children,
        time.perf_counter() - started,
    )  # fmt: skip


def _start_worker(build_worker: Callable[[], Worker], memory_mb: int, parent_pid: int) -> None:
    """Prepare a worker process: limits, no Ctrl-C of its own, death with its parent; the worker is built at first use."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent(parent_pid)
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_DATA, (memory_mb << 20, memory_mb << 20))
    _WORKER.append(build_worker)


def _die_with_parent(parent_pid: int) -> None:
    """End this process when the parent is gone, also after kill -9 of the parent."""

    def watch() -> None:
        while os.getppid() == parent_pid:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


_WORKER: list[Any] = []
"""The one slot of a worker process: first its builder, then the worker. Set by `_start_worker`, never in the parent."""


def _call_worker(payload: Any) -> Outcome:
    if len(_WORKER) == 1:
        _WORKER.append(_WORKER[0]())
    return guarded(_WORKER[1], payload)
