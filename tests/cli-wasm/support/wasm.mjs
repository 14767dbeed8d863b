// Has the tests of tests/cli, which are imported next, run the command line in WebAssembly.
import { testWasm } from "../../cli/support/program.mjs";

testWasm();
