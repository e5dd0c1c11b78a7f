"""metazoo's benchmark: prediction -> score -> leaderboard, and the command line."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark.records.load_results import load_results

__all__ = ["load_results"]


def __getattr__(name: str) -> Any:
    """`load_results`, imported when it is first asked for: the command line's help must not wait for pandas."""
    if name == "load_results":
        from benchmark.records.load_results import load_results

        return load_results
    raise AttributeError(f"module 'benchmark' has no attribute {name!r}")
