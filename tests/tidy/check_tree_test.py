#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shows check_tree.py a small tree with one fault at a time, and one tree with none."""

import os
import tempfile
import unittest

import check_tree

TOP = "// SPDX-License-Identifier: MIT\n"
HEADER = TOP + "#pragma once\n"


def faults(files):
    """The faults of a tree made of {path: text}."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        return check_tree.Tree(root).check()


def function(lines, head="void f()"):
    return head + " {\n" + "  g();\n" * (lines - 2) + "}\n"


class Case(unittest.TestCase):
    def sees(self, files, *wanted):
        """Exactly these faults, each given by a part of its line."""
        found = faults(files)
        self.assertEqual(len(found), len(wanted), found)
        for line, part in zip(found, wanted):
            self.assertIn(part, line)

    def clean(self, files):
        self.assertEqual(faults(files), [])


class Layers(Case):
    def test_a_room_may_include_downwards_only(self):
        self.clean({"src/pool/a.cpp": TOP + '#include "sync/a.hpp"\n#include "port/a.hpp"\n'})
        self.sees({"src/runtime/a.cpp": TOP + '\n#include "sync/a.hpp"\n'},
                  "src/runtime/a.cpp:3: runtime includes sync/a.hpp, which is of sync: layers")
        self.sees({"src/port/a.cpp": TOP + '#include "runtime/a.hpp"\n'}, "which is of runtime")
        self.sees({"src/sync/a.cpp": TOP + '#include "pool/a.hpp"\n'}, "which is of pool")

    def test_neighbours_do_not_know_each_other(self):
        self.sees({"src/queue/a.cpp": TOP + '#include "pool/a.hpp"\n'}, "which is of pool")
        self.sees({"src/pool/a.cpp": TOP + '#include "queue/a.hpp"\n'}, "which is of queue")

    def test_a_relative_include_is_followed(self):
        self.sees({"src/runtime/a.cpp": TOP + '#include "../sync/a.hpp"\n'}, "which is of sync")

    def test_public_headers_obey_the_same_order(self):
        self.sees({"include/weir/go.hpp": HEADER + "#include <weir/channel.hpp>\n"},
                  "runtime includes weir/channel.hpp")
        self.sees({"src/runtime/a.cpp": TOP + "#include <weir/pool.hpp>\n"},
                  "runtime includes weir/pool.hpp")
        self.sees({"src/pool/a.cpp": TOP + "#include <weir/weir.hpp>\n"}, "weir/weir.hpp")
        self.clean({"include/weir/pool.hpp": HEADER + "#include <weir/channel.hpp>\n"})

    def test_a_detail_header_lives_where_its_includes_live(self):
        tree = {"include/weir/detail/a.hpp": HEADER + "#include <weir/channel.hpp>\n"}
        self.clean(tree)
        tree["include/weir/go.hpp"] = HEADER + '#include "detail/a.hpp"\n'
        self.sees(tree, "runtime includes detail/a.hpp, which is of sync")

    def test_a_public_word_needs_a_layer(self):
        self.sees({"include/weir/news.hpp": HEADER}, "a public word without a layer")

    def test_third_party_headers_stay_in_their_room(self):
        boost = TOP + "#include <boost/context/detail/fcontext.hpp>\n"
        self.clean({"src/runtime/a.cpp": boost, "tests/a_test.cpp": boost})
        self.sees({"src/sync/a.cpp": boost}, "outside its room: only in src/runtime/")
        self.sees({"include/weir/go.hpp": HEADER + "#include <boost/any.hpp>\n"},
                  "outside its room")
        self.sees({"tool/a.cpp": TOP + "#include <sqlite3.h>\n"}, "only in src/queue/")
        self.sees({"src/pool/a.cpp": TOP + "#include <gtest/gtest.h>\n"}, "only in tests/")

    def test_tests_may_see_anything(self):
        self.clean({"tests/a_test.cpp": TOP + '#include "pool/a.hpp"\n#include <weir/weir.hpp>\n'})


class Sizes(Case):
    def test_functions(self):
        self.clean({"src/pool/a.cpp": TOP + function(70)})
        self.sees({"src/pool/a.cpp": TOP + function(71)},
                  "src/pool/a.cpp:2: a function of 71 lines: split it")

    def test_functions_are_found_wherever_they_are(self):
        long = function(71)
        self.sees({"src/pool/a.cpp": TOP + "namespace a {\nclass b : c<int> {\n public:\n" + long +
                   "};\n}\n"}, "a.cpp:5: a function of 71")
        self.sees({"src/pool/a.cpp": TOP + "class b;\n" + function(71, "b::b() : x_{1}, y_{2}")},
                  "a.cpp:3: a function of 71")
        template = "template <class T = a<int>>\nauto f(T t)"
        self.sees({"src/pool/a.cpp": TOP + function(71, template)}, "a.cpp:2: a function of 72")
        self.sees({"tests/a_test.cpp": TOP + function(71, "TEST(a, b)")}, "a function of 71")
        self.sees({"src/pool/a.cpp": TOP + function(71, "void f(a x = {}, int y = 2)")},
                  "a function of 71")

    def test_what_is_no_function(self):
        body = "  int x = 1;\n" * 100
        self.clean({"src/pool/a.cpp": TOP + "struct a {\n" + body + "};\n"})
        self.clean({"src/pool/a.cpp": TOP + "int t[] = {\n" + "  f(1),\n" * 100 + "};\n"})
        self.clean({"src/pool/a.cpp": TOP + 'auto s = R"(void f() {\n' + "x\n" * 90 + ')";\n'})
        self.clean({"src/pool/a.cpp": TOP + "/* void f() {\n" + "x\n" * 90 + "} */\n"})
        self.clean({"src/pool/a.cpp": TOP + (function(40) + "\n") * 3})

    def test_files(self):
        self.sees({"include/weir/go.hpp": HEADER + "\n" * 399}, "401 lines: split it by idea: 400")
        self.sees({"src/pool/a.cpp": TOP + "\n" * 600}, "601 lines: split it by idea: 600")
        self.sees({"tests/a_test.cpp": TOP + "\n" * 500}, "501 lines: split it by idea: 500")
        self.clean({"include/weir/go.hpp": HEADER + "\n" * 398, "src/pool/a.cpp": TOP + "\n" * 599})

    def test_columns(self):
        self.sees({"src/pool/a.cpp": TOP + "// " + "x" * 98 + "\n"}, "a.cpp:2: 101 columns")
        self.clean({"src/pool/a.cpp": TOP + "// " + "→" * 97 + "\n"})
        self.clean({"src/pool/a.cpp": TOP + "// see https://" + "x" * 98 + "\n"})


class Words(Case):
    def test_clock(self):
        self.sees({"src/pool/a.cpp": TOP + "auto t = std::chrono::system_clock::now();\n"},
                  "system_clock jumps: use steady_clock")
        self.clean({"tool/a.cpp": TOP + "system_clock::now();  // tidy: clock is the subject\n"})

    def test_sleep_in_tests(self):
        for call in ("std::this_thread::sleep_for(1ms);", "::usleep(1);", "sleep(1);",
                     "std::this_thread::sleep_until(t);"):
            self.sees({"tests/a_test.cpp": TOP + call + "\n"}, "a test that sleeps")
        self.clean({"tests/a_test.cpp": TOP + "weir::sleep_for(1ms);\n"})
        self.clean({"tests/a_test.cpp": TOP + "usleep(1);  // tidy: sleep is the subject\n"})
        self.clean({"src/port/a.cpp": TOP + "nanosleep(&a, &b);\n"})

    def test_fence_and_endl(self):
        self.sees({"src/pool/a.cpp": TOP + "std::atomic_thread_fence(x);\n"}, "a standalone fence")
        self.sees({"tool/a.cpp": TOP + "out << std::endl;\n"}, "std::endl flushes")

    def test_a_comment_or_a_text_may_name_them(self):
        self.clean({"src/pool/a.cpp": TOP + '// no atomic_thread_fence\nf("std::endl");\n'})

    def test_unfinished_work(self):
        self.sees({"src/pool/a.cpp": TOP + "// TODO: more\n"}, "a.cpp:2: TODO: do it")
        self.sees({"cmake/a.cmake": "# FIXME\n"}, "cmake/a.cmake:1: FIXME: repair it")


class Orderings(Case):
    USE = "x.store(1, std::memory_order_release);\n"

    def test_each_order_has_its_reason(self):
        self.sees({"src/sync/a.cpp": TOP + self.USE}, "a.cpp:2: a memory order without its reason")
        self.sees({"include/weir/go.hpp": HEADER + "x.load(std::memory_order::relaxed);\n"},
                  "a memory order without its reason")

    def test_near_means_four_lines_above_or_the_line_itself(self):
        why = "// Ordering: release; pairs with f().\n"
        self.clean({"src/sync/a.cpp": TOP + why + "a;\n" * 3 + self.USE})
        self.clean({"src/sync/a.cpp": TOP + why + "// More.\n" * 6 + self.USE})
        self.clean({"src/sync/a.cpp": TOP + self.USE.replace("\n", "  // Ordering: release.\n")})
        self.sees({"src/sync/a.cpp": TOP + why + "a;\n" * 4 + self.USE}, "without its reason")

    def test_tests_and_bench_are_free(self):
        self.clean({"tests/a_test.cpp": TOP + self.USE, "bench/a_bench.cpp": TOP + self.USE})

    def test_a_parameter_is_no_use(self):
        self.clean({"src/sync/a.cpp": TOP + "void f(std::memory_order order);\n"})


class Files(Case):
    def test_licence_line(self):
        self.sees({"src/pool/a.cpp": "int x;\n"}, "a.cpp:1: no licence line: begin with")

    def test_guard(self):
        self.sees({"src/pool/a.hpp": TOP}, "no include guard")

    def test_links(self):
        self.sees({"docs/a.md": "see [b](b.md) and\n[c](../c.md#d)\n"},
                  "docs/a.md:1: a dead link to b.md", "docs/a.md:2: a dead link to ../c.md#d")
        self.clean({"docs/a.md": "[x](https://x.org) [y](#here) [z](../docs/a.md#top) `[q](q)`\n"
                    "```\n[code](nowhere)\n```\n"})


if __name__ == "__main__":
    unittest.main()
