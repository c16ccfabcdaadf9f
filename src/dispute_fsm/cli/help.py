"""Help and wrong usage: what Typer shows of a command, without its Python, in one shape."""

import re
from collections.abc import Iterable
from inspect import cleandoc
from typing import Any

from typer import TyperException
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from dispute_fsm.errors import InputError
from dispute_fsm.suggestions import nearest, suggestion

_EXTRA = re.compile(r"Got unexpected extra argument\(s\) \((.*)\)", re.DOTALL)


def paragraphs(text: str) -> str:
    """Join the lines of each paragraph, which the terminal wraps; indented lines are examples."""
    return re.sub(r"(?<=\S)\n(?=\S)", " ", cleandoc(text))


class CliCommand(TyperCommand):
    """A command whose usage names its arguments as their metavars do: `[OPTIONS] PATH...`."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401 -- Typer's type is private
        """Return the options and the arguments of the usage line; optional ones in brackets."""
        arguments = [each for each in self.get_params(ctx) if isinstance(each, TyperArgument)]
        names = [
            argument_name if argument.required else f"[{argument_name}]"
            for argument in arguments
            if (argument_name := argument.display_name_raw)
        ]
        return [self.options_metavar or "", *names]

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 -- as above
        """Show the help."""
        _simplify(self.get_params(ctx))
        super().format_help(ctx, formatter)


class CliGroup(TyperGroup):
    """A group of commands; `help` shows its help, `help COMMAND` that of a command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 -- as above
        """Read the options of the group."""
        return super().parse_args(ctx, [*args[1:], "--help"] if args[:1] == ["help"] else args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 -- as above
        """Find the command that is named first. Raises `InputError` for an unknown one."""
        name = args[0]
        if name not in self.commands and not ctx.resilient_parsing:
            raise InputError(f"unknown command {name!r:.60}{suggestion(name, list(self.commands))}")
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 -- as above
        """Show the help."""
        _simplify(self.get_params(ctx))
        super().format_help(ctx, formatter)


def _simplify(parameters: Iterable[object]) -> None:
    """Hide what Typer adds to an argument (its Python type) and a flag (`<bool>`); dim no text."""
    from typer import rich_utils  # noqa: PLC0415 -- slow to import, and only help needs it

    rich_utils.STYLE_HELPTEXT = ""  # examples are to be read, on a light terminal too
    for each in parameters:
        if isinstance(each, TyperArgument) or (isinstance(each, TyperOption) and each.is_flag):
            each.display_type_rich = lambda ctx: None  # type: ignore[method-assign]  # noqa: ARG005


# ---- wrong usage ---------------------------------------------------------------------------------


def usage_error(error: TyperException) -> InputError:
    """Turn what Typer says of wrong usage into an error that names what was typed."""
    context: Any = getattr(error, "ctx", None)
    see = "" if context is None else f"; see {context.command_path} --help"
    option: str | None = getattr(error, "option_name", None)
    parameter = getattr(error, "param", None)
    if hasattr(error, "possibilities") and option is not None:
        return InputError(f"unknown option{_known_option(option, context) or see}", field=option)
    if option is not None:
        message = error.message.removeprefix(f"Option {option!r} ")
        message = message.replace("an argument", "a value")
        return InputError(f"{message.rstrip('.')}{see}", field=option)
    if hasattr(error, "param_type") and isinstance(parameter, TyperArgument | TyperOption):
        name = parameter_name(parameter)
        return InputError(f"missing {parameter.param_type_name}{see}", field=name)
    message = _EXTRA.sub(r"too many arguments: \1", error.format_message()).rstrip(".")
    return InputError(f"{message[:1].lower()}{message[1:]}{see}")


def _known_option(name: str, context: Any) -> str:  # noqa: ANN401 -- as above
    """Say which option may be meant, or where the option that is meant belongs; else nothing."""
    if context.parent is not None and name in _options(context.parent):
        before = f"{context.parent.command_path} {name} {context.info_name}"
        return f" of this command; write it before: {before}"
    close = nearest(name, _options(context))
    return "" if close is None else f"; did you mean {close}?"


def _options(context: Any) -> list[str]:  # noqa: ANN401 -- as above
    parameters = context.command.get_params(context)
    return [name for each in parameters if isinstance(each, TyperOption) for name in each.opts]


def parameter_name(parameter: TyperArgument | TyperOption) -> str:
    """Return the name of a parameter as it is typed: `--output`, or `PATH` for an argument."""
    if isinstance(parameter, TyperArgument):
        return parameter.display_name_raw.removesuffix("...")
    return parameter.opts[0]
