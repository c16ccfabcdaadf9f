"""Every command under its name; a new one is a module beside this and a line here."""

from dispute_fsm.cli.app import app
from dispute_fsm.cli.database import db
from dispute_fsm.cli.diagram import diagram
from dispute_fsm.cli.generate import generate_command
from dispute_fsm.cli.options import options_command
from dispute_fsm.cli.redact import redact_command
from dispute_fsm.cli.replay import replay_command
from dispute_fsm.cli.report import report_command
from dispute_fsm.cli.rollout import rollout_command
from dispute_fsm.cli.run import run
from dispute_fsm.cli.show import show
from dispute_fsm.cli.sweep import sweep_command
from dispute_fsm.cli.verify import verify_command

app.command(name="run")(run)
app.command(name="options")(options_command)
app.command(name="replay")(replay_command)
app.command(name="show")(show)
app.command(name="diagram")(diagram)
app.command(name="report")(report_command)
app.command(name="redact")(redact_command)
app.command(name="generate")(generate_command)
app.command(name="rollout")(rollout_command)
app.command(name="verify")(verify_command)
app.command(name="sweep")(sweep_command)
app.add_typer(db, name="db")

__all__ = ["app"]
