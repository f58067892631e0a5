# ===- wgmma_order.py - When the registers of wgmma are accessed ------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""wgmma_order.py FILE.ptx: checks what LLVM does not know of the PTX that it
writes, that wgmma uses registers until the wait for its group (PTX ISA,
"Asynchronous warpgroup level matrix instructions"). On every path through each
kernel, nothing else accesses sums or left operands of a product under way, and
none are written between wgmma.fence and their product."""

import re
import sys


def read_statements(text):
    statements = []
    for line in text.splitlines():
        line = re.sub(r"^\{\s*(?=\.reg)", "", line.split("//")[0].strip())
        statements += [part.strip() for part in line.split(";") if part.strip() not in ("", "{", "}")]
    return statements


def get_product(statement):
    """The sums and the words of the left operand of a wgmma, or None."""
    if not statement.startswith("wgmma.mma_async"):
        return None
    lists = [frozenset(re.findall(r"%\w+", names)) for names in re.findall(r"\{([^}]*)\}", statement)]
    return lists[0], lists[1] if len(lists) > 1 else frozenset()


class Checker:

    def __init__(self, name, text):
        self.name, self.statements, self.errors = name, read_statements(text), {}
        self.labels = {s[:-1]: i for i, s in enumerate(self.statements) if re.match(r"\$\w+:$", s)}
        self.products = {i: get_product(s) for i, s in enumerate(self.statements) if get_product(s)}
        self.registers = frozenset().union(*(a | b for a, b in self.products.values()))

    def fail(self, at, what, registers):
        self.errors[at] = "%s: %s: %s: %s" % (self.name, what, self.statements[at][:60], ", ".join(sorted(registers)[:4]))

    def access(self, at, group, groups, written):
        """Of another statement; returns what is written since the fence."""
        statement = self.statements[at]
        used = self.registers.intersection(re.findall(r"%\w+", statement))
        busy = used.intersection(group.union(*groups))
        if busy:
            self.fail(at, "uses registers of a product under way", busy)
        if statement.startswith("st."):
            return written
        results = re.search(r"%\w+|\{[^}]*\}", statement)
        return written | self.registers.intersection(re.findall(r"%\w+", results.group()) if results else [])

    def follow(self, at, group, groups, written, seen, work):
        """Follows a path with the products since the last commit, the groups under way, and what
        is written since the last fence. Adds others to `work`."""
        while at < len(self.statements):
            statement = self.statements[at]
            branch = re.match(r"(@!?%\w+\s+)?bra(?:\.uni)?\s+(\$\w+)", statement)
            if statement.endswith(":") and statement[:-1] in self.labels:
                # Of paths that meet in the same state only the union of `written` matters.
                before = seen.get((at, group, groups))
                if before is not None and written <= before:
                    return
                written |= before or frozenset()
                seen[at, group, groups] = written
            elif branch:
                work.append((self.labels[branch.group(2)], group, groups, written))
                if not branch.group(1):
                    return
            elif statement.startswith("ret"):
                return
            elif statement.startswith("wgmma.fence"):
                written = frozenset()
            elif statement.startswith("wgmma.commit_group"):
                group, groups = frozenset(), groups + (group,)
            elif statement.startswith("wgmma.wait_group"):
                pending = int(statement.split()[-1])
                groups = groups[max(0, len(groups) - pending):]
            elif at in self.products:
                sums, words = self.products[at]
                if (sums | words) & written:
                    self.fail(at, "registers of a product are written after the fence", (sums | words) & written)
                group |= sums | words
            else:
                written = self.access(at, group, groups, written)
            at += 1

    def check(self):
        """Returns a list of errors."""
        seen, work = {}, [(0, frozenset(), (), frozenset())]
        while work:
            self.follow(*work.pop(), seen, work)
        return list(self.errors.values())


def check(text):
    """Returns the number of products of all kernels in `text`, and a list of errors."""
    products, errors = 0, []
    for kernel in text.split(".entry ")[1:]:
        checker = Checker(kernel.split("(")[0], kernel[kernel.index("\n{"):])
        products += len(checker.products)
        errors += checker.check()
    return products, errors


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        products, errors = check(file.read())
    print("\n".join(errors) if errors else "%d products are right" % products)
    sys.exit(bool(errors) or products == 0)
