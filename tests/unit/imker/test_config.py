"""A wrong configuration is reported at once, with a line for each problem."""

from pathlib import Path

import pytest

from bot import settings as bot_settings
from imker.config import ConfigError
from jobs.inventory import hosts
from tests.support.imker_toml import HOST_CONFIG, VALID_CONFIG

TOKENS = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}
LIST, TABLE = 'must be a list, such as ["…"]', "must be a table, such as { key = … }"


def lines(path: Path, text: str, **environment: str) -> list[str]:
    """Return what the bot reports."""
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        bot_settings.load({**TOKENS, "IMKER_CONFIG": str(path), **environment})
    return [line.removeprefix(f"{path}: ") for line in caught.value.lines]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (VALID_CONFIG.replace("channels", "chanels"), ["[slack] chanels: unknown key; did you mean channels?"]),
        (VALID_CONFIG + "[slak]\n", ["[slak]: unknown key; did you mean slack?"]),
        (VALID_CONFIG + 'read = "all"\n', [f"[rights] read: {LIST}"]),
        (VALID_CONFIG + "read = [1]\n", ["[rights] read entry 1: must be a text in quotes"]),
        (VALID_CONFIG + 'accept_own = "perhaps"\n', ["[rights] accept_own: must be true or false"]),
        (VALID_CONFIG + 'accept_count = "two"\n', ["[rights] accept_count: must be a whole number"]),
        (VALID_CONFIG + "accept_count = 1.5\n", ["[rights] accept_count: must be a whole number"]),
        (VALID_CONFIG + "accept_count = 9\n", ["[rights] accept_count: must be at most 5"]),
        (VALID_CONFIG + "accept_within = 0\n", ["[rights] accept_within: must be at least 1"]),
        (VALID_CONFIG + '[[rights.rule]]\nverbs = ["plan"]\n', ["[rights] rule entry 1 who: missing"]),
        ("slack = 1\n" + VALID_CONFIG.split("]\n", 2)[2], [f"[slack]: {TABLE}"]),
        ('[slack]\nchanels = []\n[rights]\nacept = []\nread = ["*"]\nchang = []\n[slak]\n',
         ["[slak]: unknown key; did you mean slack?",
          "[slack] chanels: unknown key; did you mean channels?",
          "[rights] acept: unknown key; did you mean accept?",
          "[rights] chang: unknown key; did you mean change?"]),
        ("", ["[slack] channels: empty; list the channels (C…) in which Imker accepts commands",
              "[rights]: no users listed. List who may read, change, and accept"]),
        ("[slack]\nchanels = []\n", ["[slack] chanels: unknown key; did you mean channels?",
                                     "[rights]: no users listed. List who may read, change, and accept"]),
    ],
)  # fmt: skip
def test_reports_a_line_for_each_problem(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert lines(tmp_path / "imker.toml", text) == expected


OTHER_USER = "by a user other than the requester (accept_own = false). No manager could join; list more users"
ONE = f"may accept, and each manager needs 1 approval {OTHER_USER}"
TWO = f"may accept, and each manager needs 2 approvals {OTHER_USER}"


@pytest.mark.parametrize(
    ("rights", "expected"),
    [
        ('read = ["*"]', ""),
        ('change = ["U01ALICE"]\naccept = ["U02BOB"]', ""),
        ('change = ["U01ALICE"]', f"no user {ONE}"),
        ('change = ["U01ALICE"]\naccept = ["U01ALICE"]', f"only U01ALICE {ONE}"),
        ('change = ["U01ALICE"]\naccept = ["U01ALICE"]\naccept_own = true', ""),
        ('change = ["U01ALICE", "U02BOB"]\naccept = ["U01ALICE"]', ""),
        ('change = ["S01OPS"]\naccept = ["U01ALICE"]', ""),
        ('change = ["U01ALICE"]\naccept = ["S01OPS"]', ""),
        ('change = ["U01ALICE"]\naccept = ["*"]', ""),
        ('change = ["*"]\naccept = ["U02BOB"]\naccept_count = 2', f"only U02BOB {TWO}"),
        ('change = ["U01ALICE"]\naccept = ["U01ALICE", "U02BOB"]\naccept_count = 2',
         f"only U01ALICE, U02BOB {TWO}"),
        ('change = ["U01ALICE"]\naccept = ["U01ALICE", "U02BOB"]\naccept_count = 2\naccept_own = true', ""),
        ('[[rights.rule]]\nwho = ["U01ALICE"]\nverbs = ["migrate", "accept"]',
         f"only U01ALICE {ONE}"),
    ],
)  # fmt: skip
def test_rejects_rights_under_which_no_manager_can_be_accepted(tmp_path: Path, rights: str, expected: str) -> None:
    path, text = tmp_path / "imker.toml", f'[slack]\nchannels = ["C01OPS"]\n[rights]\n{rights}\n'
    if expected:
        assert lines(path, text) == [f"[rights] accept: {expected}"]
    else:
        path.write_text(text)
        bot_settings.load({**TOKENS, "IMKER_CONFIG": str(path)})


def test_rejects_names_instead_of_user_ids(tmp_path: Path) -> None:
    (line,) = lines(tmp_path / "imker.toml", VALID_CONFIG.replace("U01ALICE", "@alice"))
    assert "'@alice' is not a Slack user ID" in line


def test_reports_missing_and_swapped_tokens_with_file_problems(tmp_path: Path) -> None:
    problems = lines(tmp_path / "imker.toml", VALID_CONFIG + "x = 1\n", SLACK_BOT_TOKEN="xapp-2", SLACK_APP_TOKEN=" ")
    assert len(problems) == 3
    assert "swapped" in problems[0]
    assert "missing" in problems[1]


def test_reports_syntax_errors_and_a_missing_file(tmp_path: Path) -> None:
    assert "line 1" in lines(tmp_path / "imker.toml", "[slack\n")[0]
    with pytest.raises(ConfigError, match="file not found"):
        bot_settings.load({**TOKENS, "IMKER_CONFIG": str(tmp_path / "none.toml")})


# --- the jobs' side ------------------------------------------------------------------------------------------------


def with_files(folder: Path) -> Path:
    """Create every file that HOST names, and a docker-machine store."""
    (folder / "known_hosts").touch()
    for name in ("key", "ca.pem", "cert.pem", "key.pem"):
        (folder / name).touch(mode=0o600)
    (folder / "store/machines/tondi").mkdir(parents=True)
    return folder


def jobs_lines(folder: Path, text: str) -> list[str]:
    path = folder / "imker.toml"
    path.write_text(text.format(folder=folder))
    try:
        hosts.load_checked(path)
    except ConfigError as error:
        return [line.removeprefix(f"{path}: ").replace(str(folder), "~") for line in error.lines]
    return []


STORE = HOST_CONFIG.replace("[hosts", 'docker_machine = "{folder}/store"\n[hosts')


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HOST_CONFIG, []),
        (STORE, []),
        (HOST_CONFIG.split("[hosts")[0],
         ["[hosts]: no hosts; set [inventory] docker_machine, or add [hosts.NAME] sections"]),
        (STORE.replace("/store", "/elsewhere"), ["[inventory] docker_machine: ~/elsewhere/machines does not exist"]),
        (HOST_CONFIG.replace("/known_hosts", "/none"),
         ["[inventory] known_hosts: ~/none does not exist; check each host's key on its console, then: "
          "`ssh-keyscan ADDRESS >> ~/none`"]),
        (HOST_CONFIG.replace("198.18.0.39", "not an address;x"),
         ["[hosts.kaditz] address: 'not an address;x' is neither an IPv4 address nor a host name"]),
        (HOST_CONFIG.replace("198.18.0.39", "kaditz.example.org"), []),
        *((HOST_CONFIG.replace("kaditz", name),
           [f"[hosts.{name}]: invalid name; use lowercase letters, digits, dots, and hyphens, and not the word all"])
          for name in ("my_host", "all")),
        (HOST_CONFIG.replace("kaditz", "Kaditz"), []),
        (HOST_CONFIG + "[hosts.KADITZ]", ["[hosts.KADITZ]: another section is about kaditz, too; names ignore case"]),
        (HOST_CONFIG.replace("address", "adress"),
         ["[hosts.kaditz] adress: unknown key; did you mean address?",
          "[hosts.kaditz] address: missing, also in docker-machine's store"]),
        (HOST_CONFIG + 'role = "leader"', ["[hosts.kaditz] role: must be 'manager' or 'worker'"]),
        (HOST_CONFIG + "ssh_port = 0", ["[hosts.kaditz] ssh_port: must be at least 1"]),
        (HOST_CONFIG + "[hosts]\ntondi = 1", [f"[hosts.tondi]: {TABLE}"]),
        (HOST_CONFIG + '[engine]\napt_component = "experimental"', [f"[engine] apt_component: {TABLE}"]),
        (HOST_CONFIG + '[engine.apt_component]\nform = "main"\nto = "test"',
         ["[engine] apt_component from: missing", "[engine] apt_component form: unknown key; did you mean from?"]),
        (HOST_CONFIG + '[engine]\napt_list = 1', ["[engine] apt_list: must be a path in quotes"]),
        (HOST_CONFIG + '[fleet]\naddress_pool = "10.0.0.1/8"',
         ['[fleet] address_pool: must be a network, such as "10.0.0.0/8"']),
        (STORE.replace("machine =", "machin =") + '\n[hosts.tondi]\nssh_key = "{folder}/none"\ntls = "{folder}/x"',
         ["[inventory] docker_machin: unknown key; did you mean docker_machine?",
          "[hosts.tondi] address: missing, also in docker-machine's store",
          "[hosts.tondi] ssh_key: ~/none does not exist",
          "[hosts.tondi] tls: ~/x/ca.pem does not exist",
          "[hosts.tondi] tls: ~/x/cert.pem does not exist",
          "[hosts.tondi] tls: ~/x/key.pem does not exist"]),
        (HOST_CONFIG + "[hosts.tondi]",
         ["[hosts.tondi] address: missing, also in docker-machine's store",
          "[hosts.tondi] ssh_key: missing, also in docker-machine's store",
          "[hosts.tondi] tls: missing; set the folder with ca.pem, cert.pem, and key.pem for the Engine API"]),
    ],
)  # fmt: skip
def test_reports_all_problems_of_the_rq_workers_settings_at_once(
    tmp_path: Path, text: str, expected: list[str]
) -> None:
    assert jobs_lines(with_files(tmp_path), text) == expected


NO_OBJECT = "is not a JSON object written by docker-machine"


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        ("{broken", NO_OBJECT),
        ("[]", NO_OBJECT),
        ("\N{LATIN SMALL LETTER E WITH ACUTE}", NO_OBJECT),
        ('{"Driver": []}', "Driver: must be a table, such as { key = … }"),
        ('{"Driver": {"SSHPort": "ssh"}}', "Driver.SSHPort: must be a whole number"),
        ('{"HostOptions": {"SwarmOptions": {"Discovery": 1}}}',
         "HostOptions.SwarmOptions.Discovery: must be a text in quotes"),
    ],
)  # fmt: skip
def test_reports_an_unreadable_docker_machine_config(tmp_path: Path, machine: str, expected: str) -> None:
    (with_files(tmp_path) / "store/machines/tondi/config.json").write_text(machine, "latin-1")
    assert jobs_lines(tmp_path, STORE + '[hosts.tondi]\nrole = "manager"') == [
        f"~/store/machines/tondi/config.json: {expected}; fix it, or move its folder out of the store"
    ]


@pytest.mark.parametrize("name", ["key", "key.pem"])
def test_rejects_a_key_that_others_can_read(tmp_path: Path, name: str) -> None:
    (with_files(tmp_path) / name).chmod(0o644)
    key = "ssh_key" if name == "key" else "tls"
    assert jobs_lines(tmp_path, HOST_CONFIG) == [
        f"[hosts.kaditz] {key}: ~/{name} is readable by other users; run chmod 600 ~/{name}"
    ]


def test_reports_the_signing_key_with_the_other_problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMKER_SIGNING_KEY", "short")
    problems = jobs_lines(with_files(tmp_path), HOST_CONFIG + "[slak]\n")
    assert [line.split(":")[0] for line in problems] == ["[slak]", "IMKER_SIGNING_KEY"]
