// SPDX-License-Identifier: Apache-2.0
// node v8.mjs FILE.wasm...: calls run and hash of each and prints a line, as rotor_outcomes does.
import { readFileSync } from "node:fs";

const view = new DataView(new ArrayBuffer(8));

// Traps in the words of the specification's tests. V8 has one message for a null entry and a wrong type.
const reasons = [
	[/unreachable/, "unreachable"],
	[/divide by zero|remainder by zero/, "integer divide by zero"],
	[/divide result unrepresentable/, "integer overflow"],
	[/float unrepresentable/, "invalid conversion to integer"],
	[/memory access out of bounds/, "out of bounds memory access"],
	[/table index is out of bounds|table access out of bounds|table or index/i, "table"],
	[/null function or function signature mismatch/, "indirect call type mismatch"],
	[/call stack/, "call stack exhausted"],
];

function reason(error) {
	const found = reasons.find(([pattern]) => pattern.test(error.message));
	return "trap:" + (found ? found[1] : error.message);
}

function bits(value, i) {
	if (typeof value === "bigint") return BigInt.asUintN(64, value).toString(16);
	if (i === 0) return (value >>> 0).toString(16);
	if (Number.isNaN(value)) return "nan";
	if (i === 2) {
		view.setFloat32(0, value);
		return view.getUint32(0).toString(16);
	}
	view.setFloat64(0, value);
	return view.getBigUint64(0).toString(16);
}

function call(instance, name) {
	try {
		const result = instance.exports[name]();
		const values = Array.isArray(result) ? result : [result];
		return [name, ...values.map(bits)].join(" ");
	} catch (error) {
		return name + " " + reason(error);
	}
}

for (const path of process.argv.slice(2)) {
	let line;
	try {
		const instance = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(path)));
		line = call(instance, "run") + " " + call(instance, "hash");
	} catch (error) {
		line = "refused " + error.message;
	}
	console.log(`${path}: ${line}`);
}
