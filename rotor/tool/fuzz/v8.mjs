// SPDX-License-Identifier: Apache-2.0
// node v8.mjs FILE...: calls run and hash of each, or of all that are linked in a FILE.link, and prints a line, as
// rotor_outcomes does.
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
	[/data segment .* out of bounds/, "out of bounds memory access"],
	[/table initializer/, "table"],
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

function one(bytes) {
	const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes));
	return call(instance, "run") + " " + call(instance, "hash");
}

// ---- linked modules: the host's functions and the steps, as in check_link.c ----

const env = {
	h0: (x) => Math.imul(x, 3) + 1,
	h1(x) {
		if ((x & 63) === 63) throw new Error("host");
		return x ^ 0x55;
	},
	h2: (_, x) => [x + 1, BigInt(x) * 7n],
	h3: (a, b, c) => a + 3n * b + BigInt(c),
};
const names = ["b", "a", "c"];

// All numbers but i64 as f64: their types cannot be seen from here.
function wideBits(value) {
	return typeof value === "bigint" ? bits(value, 1) : bits(value, 3);
}

function step(name, run) {
	try {
		const result = run();
		const values = result === undefined ? [] : Array.isArray(result) ? result : [result];
		return [" " + name, ...values.map(wideBits)].join(" ");
	} catch (error) {
		return ` ${name} ${error instanceof WebAssembly.LinkError || error instanceof TypeError ? "refused" : reason(error)}`;
	}
}

function linked(bytes) {
	const there = {};
	let line = "", steps = 0, part = 0;
	const callAll = (name) => {
		const all = there[name];
		const others = Object.keys(all).filter((key) => key[0] === "w");
		for (const key of ["run", "hash"]) line += step(`${name}.${key}`, all[key]), steps++;
		// What step_new has counted already when check_link.c chooses.
		const key = others[steps % others.length];
		line += step(`${name}.${key}`, () => all[key](...Array(all[key].length).fill(true)));
		steps++;
	};
	for (let at = 0; at < bytes.length; part++) {
		const length = bytes.readUInt32LE(at), name = names[part];
		const module = new WebAssembly.Module(bytes.subarray(at + 4, at + 4 + length));
		line += step(`${name}.start`, () => {
			there[name] = new WebAssembly.Instance(module, { env, ...there }).exports;
		});
		steps++;
		for (let i = part; i >= 0; i--) if (there[names[i]]) callAll(names[i]);
		at += 4 + length;
	}
	for (let i = 0; i < part; i++) if (there[names[i]]) callAll(names[i]);
	return line.slice(1);
}

for (const path of process.argv.slice(2)) {
	let line;
	try {
		line = (path.endsWith(".link") ? linked : one)(readFileSync(path));
	} catch (error) {
		line = "refused " + error.message;
	}
	console.log(`${path}: ${line}`);
}
