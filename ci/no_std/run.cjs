// Runs the module that this crate is in WebAssembly. It imports nothing.
const module_ = new WebAssembly.Module(require("fs").readFileSync(process.argv[2]));
process.exitCode = new WebAssembly.Instance(module_, {}).exports.run();
