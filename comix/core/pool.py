"""Running workers: here, or in disposable processes with time and memory limits."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

from comix.core.errors import ComixError, ItemError, WorkspaceError
from comix.core.task import Item, Outcome, RunOptions, Worker

if TYPE_CHECKING:
    from pebble import ProcessPool


_MOST_STARTS = 3
"""So many pools in a row may break without one outcome."""


def run_here(todo: Iterable[Item], build_worker: Callable[[], Worker], stop: threading.Event) -> Iterator[tuple[Item, Outcome]]:
    """Outcomes one after another, in this process; ``todo`` is drawn from as work proceeds."""
    worker: Worker | None = None
    for item in todo:
        if stop.is_set():
            return
        worker = worker or build_worker()
        outcome = guarded(worker, item.payload)
        yield item, _settled(worker) or outcome


def run_in_processes(
    todo: Iterable[Item], build_worker: Callable[[], Worker], options: RunOptions, stop: threading.Event
) -> Iterator[tuple[Item, Outcome] | None]:
    """Outcomes as they come from ``options.workers`` processes; a hang or crash is one failed outcome.

    None now and then while nothing comes, so that the caller can save what it has.

    At most two tasks of ``options.chunk`` inputs per worker are in flight, and ``todo`` is drawn from as they finish, so
    memory does not grow with the number of inputs. A task that dies is done again input by input, so that only the
    culprit fails.

    Raises:
        WorkspaceError: worker processes die again and again before they take their first input.
    """
    tasks, starts = _Tasks(iter(todo), options.chunk), 0
    flying: dict[Future[list[Outcome]], list[Item]] = {}
    while True:
        try:
            for finished in _run_pool(tasks, flying, build_worker, options, stop):
                starts = starts if finished is None else 0
                yield finished
            return
        except BrokenProcessPool:  # a worker died before it said which task it took: its pool is of no use any more
            starts += 1
            tasks.put_back(list(flying.values()))
            flying.clear()
            if starts == _MOST_STARTS:
                raise WorkspaceError(
                    f"worker processes died {starts} times before they began to work: is there memory left? workers=1 takes "
                    f"less of it, memory_mb= allows each more than {options.memory_mb}, workers=0 works without them"
                ) from None


def _run_pool(
    tasks: _Tasks,
    flying: dict[Future[list[Outcome]], list[Item]],
    build_worker: Callable[[], Worker],
    options: RunOptions,
    stop: threading.Event,
) -> Iterator[tuple[Item, Outcome] | None]:
    """One pool's outcomes; ``flying`` holds the tasks whose outcomes have not come yet, also after an error."""
    first = [task for task in (tasks.next() for _ in range(2 * options.workers)) if task]
    if not first:
        return
    tasks.put_back(first)
    with _open_pool(min(options.workers, len(first)), build_worker, options) as pool:
        while True:
            while not stop.is_set() and len(flying) < 2 * options.workers and (task := tasks.next()):
                flying[_schedule(pool, tasks, task, options)] = task
            if not flying:
                return
            finished, _ = wait(flying, timeout=0.5, return_when=FIRST_COMPLETED)
            if not finished:
                yield None
            for future in finished:
                task = flying[future]
                outcomes = _collect(future, len(task), options)
                del flying[future]
                if len(outcomes) < len(task):
                    tasks.put_back([[item] for item in task])
                    continue
                yield from zip(task, outcomes, strict=True)


def _schedule(pool: ProcessPool, tasks: _Tasks, task: list[Item], options: RunOptions) -> Future[list[Outcome]]:
    try:
        future: Future[list[Outcome]] = pool.schedule(
            _call_worker, args=[[item.payload for item in task]], timeout=options.timeout_s
        )
    except RuntimeError:  # what pebble raises when its pool is broken
        tasks.put_back([task])
        raise BrokenProcessPool from None
    return future


class _Tasks:
    """Inputs in tasks of about a given size, a book in one where that is possible, and tasks that have to be done first."""

    def __init__(self, items: Iterator[Item], size: int) -> None:
        self._items, self._size = items, size
        self._first: deque[list[Item]] = deque()
        self._ahead: list[Item] = []

    def next(self) -> list[Item]:
        """The next task, empty at the end."""
        if self._first:
            return self._first.popleft()
        task = [*self._ahead, *islice(self._items, self._size - len(self._ahead))]
        self._ahead = []
        while 1 < self._size <= len(task) < 2 * self._size and not self._ahead:
            following = next(self._items, None)
            if following is None:
                break
            (task if following.group == task[-1].group else self._ahead).append(following)
        return task

    def put_back(self, tasks: list[list[Item]]) -> None:
        """Do these next, in their order."""
        self._first.extendleft(reversed(tasks))


@contextmanager
def _open_pool(n_workers: int, build_worker: Callable[[], Worker], options: RunOptions) -> Iterator[ProcessPool]:
    """Disposable worker processes; stopped at once when the block fails."""
    from pebble import ProcessPool

    pool = ProcessPool(
        max_workers=n_workers,
        context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(build_worker, options.memory_mb, os.getpid()),
    )
    with _single_threaded_libraries():
        try:
            yield pool
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


def _collect(future: Future[list[Outcome]], n_inputs: int, options: RunOptions) -> list[Outcome]:
    """What a task gave; nothing when it died and held several inputs, which then have to be told apart."""
    from pebble import ProcessExpired

    try:
        return future.result()
    except BrokenProcessPool:
        raise
    except ComixError:  # the worker itself could not be built: the user's mistake, not this input's
        raise
    except TimeoutError:
        trouble = Outcome("failed", "timeout", f"no result after {options.timeout_s:g} s", seconds=options.timeout_s)
    except ProcessExpired as error:
        trouble = Outcome("failed", "worker_crashed", f"the worker process died (exit code {error.exitcode})")
    except MemoryError:
        trouble = Outcome("failed", "out_of_memory", f"more than memory_mb={options.memory_mb} wanted")
    except Exception:  # noqa: BLE001  (an outcome that does not travel between processes is one failed row)
        trouble = Outcome("failed", "internal_error", traceback.format_exc(limit=-8))
    return [trouble] if n_inputs == 1 else []


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
        time.perf_counter() - started, outcome.encoded,
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


def _call_worker(payloads: list[Any]) -> list[Outcome]:
    if len(_WORKER) == 1:
        _WORKER.append(_WORKER[0]())
    outcomes = [guarded(_WORKER[1], payload) for payload in payloads]
    trouble = _settled(_WORKER[1])
    if trouble is None:
        return outcomes
    if len(payloads) > 1:
        raise _NotSettledError(trouble.detail)
    return [trouble]


class _NotSettledError(Exception):
    """What a task's inputs held back could not be written: they have to be done one by one to tell which."""


def _settled(worker: Worker) -> Outcome | None:
    """Let a worker write what it held back until the end of its task; the failed outcome when it cannot."""
    settle = getattr(worker, "settle", None)
    if settle is None:
        return None
    outcome = guarded(lambda _: settle() or Outcome(), None)
    return outcome if outcome.status == "failed" else None
