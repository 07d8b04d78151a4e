"""Format every message about a wrong configuration."""

from pathlib import Path

from tests.golden.command_line import run
from tests.golden.text_layout import page, section
from tests.golden.valid_configuration import TOKENS, write_key_files
from tests.support.imker_toml import HOST_CONFIG, VALID_CONFIG

RULE = VALID_CONFIG + '[[rights.rule]]\nwho = ["U01ALICE"]\n'
SOLE = '[slack]\nchannels = ["C01OPS"]\n[rights]\nchange = ["U01ALICE"]\n'
FILES = 'ssh_key = "{folder}/none"\ntls = "{folder}/x"\n'
BOT = {
    "an unknown key": VALID_CONFIG.replace("channels", "chanels"), "an unknown section": VALID_CONFIG + "[slak]\n",
    "wrong types": VALID_CONFIG + 'read = "all"\naccept_own = "perhaps"\naccept_count = "two"\naccept_within = 0\n',
    "a number that is too big": VALID_CONFIG + "accept_count = 9\nread = [1]\n",
    "a rule without people": VALID_CONFIG + '[[rights.rule]]\nverbs = ["plan"]\n',
    "wrong IDs": '[slack]\nchannels = ["#ops"]\nteam = "acme"\n[rights]\nread = ["@alice"]\n',
    "a wrong rule": RULE + 'verbs = ["migrat", "x"]\nhosts = ["LEI"]\nchannels = ["C09"]\n',
    "a rule of another channel": RULE + 'verbs = ["plan"]\nchannels = ["C09ELSE"]\n',
    "nothing": "", "syntax": "[slack\n", "a table as a number": "slack = 1\n",
    "no second user may accept": SOLE + 'accept = ["U01ALICE"]\n',
    "no user may accept": SOLE + "accept_own = true\n",
}  # fmt: skip
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "no tokens": {"SLACK_BOT_TOKEN": "", "SLACK_APP_TOKEN": ""},
    "swapped tokens": {"SLACK_BOT_TOKEN": "xapp-1", "SLACK_APP_TOKEN": "xoxb-1"},
    "a wrong HTTP address": {"IMKER_HTTP": "here"},
    "a short signing key": {"IMKER_SIGNING_KEY": "short"},
    "no signing key": {"REDIS_URL": "redis://127.0.0.1"},
}
STORE = HOST_CONFIG.replace("[hosts", 'docker_machine = "{folder}/store"\n[hosts')
JOBS = {
    "no hosts": HOST_CONFIG.split("[hosts")[0], "no docker-machine store": STORE.replace("/store", "/elsewhere"),
    "no known_hosts": HOST_CONFIG.replace("/known_hosts", "/none"),
    "a wrong address": HOST_CONFIG.replace("198.18.0.39", "a;b"),
    "a name that cannot be typed": HOST_CONFIG.replace("kaditz", "all"),
    "an unknown key": HOST_CONFIG.replace("address", "adress"),
    "wrong values": HOST_CONFIG + 'role = "leader"\nssh_port = 0\n[engine]\napt_list = 1\n',
    "a wrong network": HOST_CONFIG + '[fleet]\naddress_pool = "10.0.0.1/8"\n',
    "a wrong component": HOST_CONFIG + '[engine.apt_component]\nform = "main"\nto = "test"\n',
    "files that are missing": HOST_CONFIG + '[hosts.tondi]\naddress = "198.18.0.73"\n' + FILES,
    "a host without anything": HOST_CONFIG + "[hosts.tondi]\n",
}  # fmt: skip
MACHINES = ("{broken", '{"Driver": []}', '{"Driver": {"SSHPort": "ssh"}}')


def configuration(folder: Path) -> str:
    """Return every line that `check` prints about a wrong configuration."""
    write_key_files(folder)
    path = folder / "imker.toml"
    right = {**TOKENS, "IMKER_CONFIG": str(path)}

    def checked(title: str, line: str, text: str, **environment: str) -> str:
        path.write_text(text)
        output = run(f"{line} check", {**right, **environment}, (f"{path}: ", ""), (str(folder), "FOLDER"))
        return section(title, *output.splitlines()[2:-1])

    bot = [checked(f"bot: {title}", "bot", text) for title, text in BOT.items()]
    environments = [checked(f"bot: {title}", "bot", VALID_CONFIG, **more) for title, more in ENVIRONMENTS.items()]
    jobs = [checked(f"jobs: {title}", "jobs", text.format(folder=folder)) for title, text in JOBS.items()]
    broken = []
    for number, text in enumerate(MACHINES):
        (folder / "store/machines/tondi/config.json").write_text(text)
        broken.append(checked(f"jobs: a broken machine ({number})", "jobs", STORE.format(folder=folder)))
    (folder / "store/machines/tondi/config.json").unlink()
    (folder / "key").chmod(0o644)
    return page(
        *bot,
        *environments,
        *jobs,
        *broken,
        checked("jobs: a key for all to read", "jobs", HOST_CONFIG.format(folder=folder)),
    )
