# SPDX-License-Identifier: MIT
"""extract.py <out> <page>...: writes each ```cpp block that begins with `// Weir` to a file of its
own, <out>/<page>_<number>.cpp, and prints the files' paths, as a CMake list."""
import re
import sys
from pathlib import Path

out, written = Path(sys.argv[1]), []
out.mkdir(parents=True, exist_ok=True)
for page in map(Path, sys.argv[2:]):
    blocks = re.findall(r"^```cpp\n(// Weir\n.*?)^```$", page.read_text(encoding="utf-8"),
                        re.MULTILINE | re.DOTALL)
    if not blocks:
        sys.exit(f"{page}: no block begins with `// Weir`")
    for number, block in enumerate(blocks, 1):
        path = out / f"{page.stem}_{number}.cpp"
        if not path.exists() or path.read_text(encoding="utf-8") != block:
            path.write_text(block, encoding="utf-8")
        written.append(str(path))
print(";".join(written), end="")
