from pathlib import Path

import warm
from snippets import program

PAGE = """
```python
print("first")
```

```text
first
```

```console
$ clinometer list --help
Usage: clinometer list [ARGS]
...
```

```python
print("last")
```

```text
last
```
"""


def test_commands_of_a_page_run_between_its_python(tmp_path: Path) -> None:
    """By hand: what a command prints is compared where it stands, and `...` leaves the rest of it out."""
    page, script = tmp_path / "page.md", tmp_path / "script.py"
    found = {}
    for name, text in {"cut": PAGE, "whole": PAGE.replace("...\n", "")}.items():
        page.write_text(text)
        code, expected = program(page)
        script.write_text(code)
        done = warm.run([script], cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        found[name] = done.stdout == expected
        assert done.stdout.startswith("first\nUsage: clinometer list")
        assert done.stdout.endswith("last\n")
    assert found == {"cut": True, "whole": False}
