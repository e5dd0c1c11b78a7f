"""How a verb reads its command line: all that is missing is named at once, and the help of one word says more of it."""

from typing import Any

import typer
from typer.core import TyperCommand

MORE_HELP = "more_help"  # attribute of a verb's function: a function of the word before `--help`, to a text


class Verb(TyperCommand):
    """A command that names all missing arguments and options together, where click names the first alone."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As click does."""
        given = ctx.meta["given"] = list(args)
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter:
            if len(missing := self._missing(ctx, given)) > 1:
                ctx.fail(f"Missing: {', '.join(missing)}")
            raise

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """As typer does; then what there is to say of the first word."""
        super().format_help(ctx, formatter)
        more_help, word = getattr(self.callback, MORE_HELP, None), ctx.meta["given"][0]
        if more_help is not None and not word.startswith("-"):
            typer.echo(more_help(word))

    def _missing(self, ctx: Any, args: list[str]) -> list[str]:
        """Required parameters without a value, as the help writes them; values are texts, or lists of them."""
        given, _, _ = self.make_parser(ctx).parse_args(args=args)
        lacking = [one for one in self.get_params(ctx) if one.required and not _is_value(given.get(one.name))]
        return [one.opts[0] if one.opts[0].startswith("-") else one.metavar or str(one.name) for one in lacking]


def _is_value(found: object) -> bool:
    return isinstance(found, str | list | tuple) and len(found) > 0
