"""Threads for synchronous functions: started when needed, up to a limit, kept for later calls."""

import queue
import threading


class ThreadPool:
    """Runs jobs on daemon threads: a function that never returns must not keep the process from ending."""

    def __init__(self, size):
        self._size = size
        self._jobs = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._free = 0

    def run(self, job, *args):
        """Queues job(*args), which must not raise."""
        with self._lock:
            self._free -= 1
            is_short = self._free < 0 and self._threads < self._size
            if is_short:
                self._threads += 1
                self._free += 1
        self._jobs.put((job, args))
        if is_short:
            threading.Thread(target=self._work, name='function', daemon=True).start()

    def close(self):
        """Ends the threads once the queued jobs are done."""
        with self._lock:
            for _ in range(self._threads):
                self._jobs.put((None, ()))

    def _work(self):
        while True:
            job, args = self._jobs.get()
            if job is None:
                return
            job(*args)
            # Held no longer than the call: they may be large.
            del job, args
            with self._lock:
                self._free += 1
