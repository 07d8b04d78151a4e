"""Every line about a wrong configuration. Text per surface."""

from pathlib import Path

from tests.golden.command_line import run
from tests.golden.configured import TOKENS, keys
from tests.golden.page import page, section
from tests.imker_toml import GOOD, HOST

RULE = GOOD + '[[rights.rule]]\nwho = ["U01ALICE"]\n'
SOLE = '[slack]\nchannels = ["C01OPS"]\n[rights]\nchange = ["U01ALICE"]\n'
FILES = 'ssh_key = "{folder}/none"\ntls = "{folder}/x"\n'
BOT = {
    "an unknown key": GOOD.replace("channels", "chanels"), "an unknown section": GOOD + "[slak]\n",
    "wrong types": GOOD + 'read = "all"\naccept_own = "perhaps"\naccept_count = "two"\naccept_within = 0\n',
    "a number that is too big": GOOD + "accept_count = 9\nread = [1]\n",
    "a rule without people": GOOD + '[[rights.rule]]\nverbs = ["plan"]\n',
    "wrong IDs": '[slack]\nchannels = ["#ops"]\nteam = "acme"\n[rights]\nread = ["@alice"]\n',
    "a wrong rule": RULE + 'verbs = ["migrat", "x"]\nhosts = ["LEI"]\nchannels = ["C09"]\n',
    "a rule of another channel": RULE + 'verbs = ["plan"]\nchannels = ["C09ELSE"]\n',
    "nothing": "", "syntax": "[slack\n", "a table as a number": "slack = 1\n",
    "nobody else may accept": SOLE + 'accept = ["U01ALICE"]\n',
    "nobody may accept": SOLE + "accept_own = true\n",
}  # fmt: skip
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "no tokens": {"SLACK_BOT_TOKEN": "", "SLACK_APP_TOKEN": ""},
    "swapped tokens": {"SLACK_BOT_TOKEN": "xapp-1", "SLACK_APP_TOKEN": "xoxb-1"},
    "a wrong HTTP address": {"IMKER_HTTP": "here"},
    "a short signing key": {"IMKER_SIGNING_KEY": "short"},
    "no signing key": {"REDIS_URL": "redis://127.0.0.1"},
}
STORE = HOST.replace("[hosts", 'docker_machine = "{folder}/store"\n[hosts')
JOBS = {
    "no hosts": HOST.split("[hosts")[0], "no docker-machine store": STORE.replace("/store", "/elsewhere"),
    "no known_hosts": HOST.replace("/known_hosts", "/none"), "a wrong address": HOST.replace("198.18.0.39", "a;b"),
    "a name that cannot be typed": HOST.replace("kaditz", "all"), "an unknown key": HOST.replace("address", "adress"),
    "wrong values": HOST + 'role = "leader"\nssh_port = 0\n[engine]\napt_list = 1\n',
    "a wrong network": HOST + '[fleet]\naddress_pool = "10.0.0.1/8"\n',
    "a wrong component": HOST + '[engine.apt_component]\nform = "main"\nto = "test"\n',
    "files that are missing": HOST + '[hosts.tondi]\naddress = "198.18.0.73"\n' + FILES,
    "a host without anything": HOST + "[hosts.tondi]\n",
}  # fmt: skip
MACHINES = ("{broken", '{"Driver": []}', '{"Driver": {"SSHPort": "ssh"}}')


def configuration(folder: Path) -> str:
    """Every line that `check` prints about a wrong configuration."""
    keys(folder)
    path = folder / "imker.toml"
    right = {**TOKENS, "IMKER_CONFIG": str(path)}

    def checked(title: str, line: str, text: str, **environment: str) -> str:
        path.write_text(text)
        told = run(f"{line} check", {**right, **environment}, (f"{path}: ", ""), (str(folder), "FOLDER"))
        return section(title, *told.splitlines()[2:-1])

    bot = [checked(f"bot: {title}", "bot", text) for title, text in BOT.items()]
    environments = [checked(f"bot: {title}", "bot", GOOD, **more) for title, more in ENVIRONMENTS.items()]
    jobs = [checked(f"jobs: {title}", "jobs", text.format(folder=folder)) for title, text in JOBS.items()]
    broken = []
    for number, text in enumerate(MACHINES):
        (folder / "store/machines/tondi/config.json").write_text(text)
        broken.append(checked(f"jobs: a broken machine ({number})", "jobs", STORE.format(folder=folder)))
    (folder / "store/machines/tondi/config.json").unlink()
    (folder / "key").chmod(0o644)
    return page(
        *bot, *environments, *jobs, *broken, checked("jobs: a key for all to read", "jobs", HOST.format(folder=folder))
    )
