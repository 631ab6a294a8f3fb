#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What can be said of the firmware's configuration without Zephyr: Kconfig, .conf, overlays, YAML."""
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
APP = ROOT / "port" / "zephyr"
sys.path.insert(0, str(ROOT / "test" / "e2e"))
import lab  # noqa: E402
from lab import Failed, Skip, expect  # noqa: E402


def options(path):
    """{option: value} of a .conf file; Failed when a line is not one."""
    found = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.split("#", 1)[0].strip() if '"' not in line else line.strip()
        if not line or line.startswith("#"):
            continue
        m = re.fullmatch(r"(CONFIG_[A-Z0-9_]+)=(y|n|-?\d+|0x[0-9a-fA-F]+|\".*\")", line)
        expect(m, f"{path.name}:{number}: not an option: {line!r}")
        expect(m[1] not in found, f"{path.name}:{number}: {m[1]} stands twice")
        found[m[1]] = m[2]
    return found


def conf_files():
    return sorted([*APP.glob("*.conf"), *APP.glob("boards/*.conf"), *APP.glob("conf/*.conf"),
                   *(ROOT / "test" / "firmware").glob("*.conf")])


def test_conf_syntax(l):
    files = conf_files()
    l.note(f"{sum(len(options(f)) for f in files)} options in {len(files)} files")


def test_application_and_hardware_apart(l):
    """An option stands in prj.conf or in a board's file, never in both."""
    application = options(APP / "prj.conf")
    for path in sorted(APP.glob("boards/*.conf")):
        both = sorted(application.keys() & options(path).keys())
        expect(not both, f"in prj.conf and in {path.name}: {', '.join(both)}")


def kconfig():
    """The entries of our Kconfig: {name: text}."""
    text = (APP / "Kconfig").read_text()
    parts = re.split(r"^config ([A-Z0-9_]+)$", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def test_kconfig_entries(l):
    """Every own option has a prompt, help, and a number a range and a default."""
    for name, text in kconfig().items():
        if not name.startswith("PROPLET_"):
            continue
        kind = re.search(r"^\t(bool|int|string|hex)( \"(.+)\")?$", text, re.M)
        expect(kind and kind[3], f"{name} has no type with a prompt")
        expect(re.search(r"^\thelp\n\t  \S", text, re.M), f"{name} has no help")
        if kind[1] == "int":
            expect(re.search(r"^\trange ", text, re.M), f"{name} has no range")
        if kind[1] != "bool":
            expect(re.search(r"^\tdefault ", text, re.M), f"{name} has no default")
        for line in text.splitlines():
            expect(re.match(r"\t\S|\t  |$|#|menu|endmenu|source|config", line),
                   f"{name}: indentation of {line!r}")
    l.note(f"{sum(n.startswith('PROPLET_') for n in kconfig())} options")


def test_defaults_within_ranges(l):
    for name, text in kconfig().items():
        span = re.search(r"^\trange (\d+) (\d+)$", text, re.M)
        for value in re.findall(r"^\tdefault (\d+)", text, re.M) if span else []:
            expect(int(span[1]) <= int(value) <= int(span[2]), f"{name}: {value} is out of range")
    for path in conf_files():
        for option, value in options(path).items():
            span = re.search(r"^\trange (\d+) (\d+)$", kconfig().get(option[7:], ""), re.M)
            expect(not span or int(span[1]) <= int(value) <= int(span[2]),
                   f"{path.name}: {option}={value} is out of its range")


def test_own_options_exist(l):
    """CONFIG_PROPLET_* in sources, builds and .conf files are options of our Kconfig."""
    known = kconfig().keys()
    files = [p for p in [*APP.rglob("*.[ch]"), *(ROOT / "port/wamr").glob("*.[ch]"),
                         *APP.rglob("CMakeLists.txt"), *conf_files()]]
    for path in files:
        for name in re.findall(r"CONFIG_(PROPLET_[A-Z0-9_]+)", path.read_text()):
            expect(name in known, f"{path.name}: CONFIG_{name} is no option")
    for name in known:
        used = any(f"CONFIG_{name}" in p.read_text() for p in files)
        inside = any(re.search(rf"(if|on) .*\b{name}\b", t) for n, t in kconfig().items())
        expect(used or inside or not name.startswith("PROPLET_"), f"{name} is never used")


def test_settings_table(l):
    """Ids and words are unique; ids fit below the journal's."""
    text = (APP / "src" / "settings_list.h").read_text()
    rows = re.findall(r"^S\((\w+), \"([^\"]+)\", (\d+), (\d+), (true|false),", text, re.M)
    expect(len(rows) == len(re.findall(r"^S\(", text, re.M)) > 10, "rows that do not parse")
    for column, what in ((0, "name"), (1, "word"), (2, "id")):
        values = [r[column] for r in rows]
        expect(len(set(values)) == len(values), f"a {what} stands twice")
    expect(all(0 < int(r[2]) < 0x200 for r in rows), "an id outside 1..511")
    secret = {r[1] for r in rows if r[4] == "true"}
    expect({"key", "wifi.psk", "tls.key"} <= secret, f"secrets {secret}")


def test_overlay_syntax(l):
    """Each overlay against stand-ins for the labels that it refers to, by dtc."""
    if not shutil.which("dtc"):
        raise Skip("dtc is not installed")
    for path in sorted([*APP.glob("boards/*.overlay"), *(ROOT / "test/firmware").glob("*.overlay")]):
        text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
        own = set(re.findall(r"(\w+):\s*[\w-]+(?:@[0-9a-f]+)?\s*\{", text))
        labels = set(re.findall(r"&(\w+)", text)) - own
        stand_ins = "".join(f"\t{n}: n{i} {{ }};\n" for i, n in enumerate(sorted(labels)))
        text = re.sub(r"<&(\w+)( [^<>]*)?>", "<0>", text)  # cells are Zephyr's to check
        text = text.replace("= &", "= &")
        source = l.folder / (path.name + ".dts")
        source.write_text(f"/dts-v1/;\n/ {{\n{stand_ins}}};\n{text}")
        status, _, err = l.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", "/dev/null", source])
        expect(status == 0, f"{path.name}: {err}")
        expect(path.parent != APP / "boards" or "proplet,settings" in text,
               f"{path.name} chooses no partition for the settings")


def test_yaml(l):
    """The manifest and the test lists, as far as can be said without their tools."""
    try:
        import yaml
    except ImportError:
        raise Skip("python3-yaml is not installed") from None
    west = yaml.safe_load((APP / "west.yml").read_text())["manifest"]
    names = [r["name"] for r in west["remotes"]]
    expect(all(p["remote"] in names and p["revision"] for p in west["projects"]), "west.yml")
    sample = yaml.safe_load((APP / "sample.yaml").read_text())
    for name, test in sample["tests"].items():
        expect(test["platform_allow"], f"{name} has no boards")
        for board in test["platform_allow"].split():
            conf = APP / "boards" / (board.replace("/", "_") + ".conf")
            expect(conf.exists(), f"{name}: no {conf.name}")
        for extra in re.findall(r"EXTRA_CONF_FILE=(\S+)", str(test.get("extra_args", ""))):
            expect((APP / extra).exists(), f"{name}: no {extra}")
    for path in (APP / "dts").rglob("*.yaml"):
        expect(yaml.safe_load(path.read_text())["compatible"] == path.stem, path.name)


def test_tests_load(l):
    """They borrow from the Linux worker's tests: a name that is gone there shows here."""
    for name in ("firmware_test.py", "life_test.py", "tls_test.py", "wamr_test.py", "network_test.py", "real_test.py"):
        status, out, err = l.run([sys.executable, ROOT / "test" / "firmware" / name, "--list"])
        expect(status == 0 and out, err)


def test_version_is_the_projects(l):
    cmake = re.search(r"project\(proplet VERSION (\d+)\.(\d+)\.(\d+)",
                      (ROOT / "CMakeLists.txt").read_text())
    ours = dict(re.findall(r"^(\w+) = (\d+)$", (APP / "VERSION").read_text(), re.M))
    expect([ours["VERSION_MAJOR"], ours["VERSION_MINOR"], ours["PATCHLEVEL"]] == list(cmake.groups()),
           f"port/zephyr/VERSION is not {'.'.join(cmake.groups())}")


def test_no_secrets_in_source(l):
    for path in conf_files():
        for option, value in options(path).items():
            if re.search(r"PSK|PASSWORD|SECRET|DEFAULT_KEY", option):
                raise Failed(f"{path.name}: {option}={value}")


def test_flashlog(l):
    """The module store's log on the host, with power cuts."""
    cc = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not cc:
        raise Skip("no C compiler")
    program = l.folder / "flashlog_test"
    status, _, err = l.run([cc, "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Wno-unused-parameter",
                            "-Werror", f"-I{ROOT}", APP / "src/flashlog_test.c",
                            APP / "src/flashlog.c", ROOT / "base/sha256.c", "-o", program])
    expect(status == 0, err)
    status, out, _ = l.run([program])
    expect(status == 0, out)
    l.note(out.strip().splitlines()[-1])


if __name__ == "__main__":
    lab.main(globals())
