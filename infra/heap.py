"""The garbage collector, told what a process that works in batches looks like.

What the program itself consists of lives as long as the process and is not walked again; the young are looked at less
often. Must never let more garbage in cycles pile up than Python's own figures do: a full look comes as early as ever.
"""

import gc

YOUNG = (7_000, 5, 2)
"""Python's own are 700, 10, 10: all is looked at after the same 70,000 objects, the young a tenth as often."""


def settle() -> None:
    """Call once, when everything is imported: what there is now is not walked again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*YOUNG)
