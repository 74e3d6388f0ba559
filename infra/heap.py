"""The garbage collector, told what a process that works in batches looks like.

A batch makes tens of thousands of objects and frees them by reference count; what the program itself consists of lives
as long as the process. Must never switch the collector off: cycles are still found, only less often looked for.
"""

import gc

YOUNG = 50_000  # objects made and not freed before the youngest are looked at; Python's own figure is 700


def settle() -> None:
    """Call once, when everything is imported: what there is now is not walked again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 10)
