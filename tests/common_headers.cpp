// SPDX-License-Identifier: MIT
// Nothing: what it includes first, by the build, is compiled once for all tests.
