"use strict";
(() => {
  const { puzzle, cookie, back } = JSON.parse(document.querySelector("main").dataset.challenge);
  const bar = document.querySelector("progress");
  const say = (text) => { document.querySelector("#status").textContent = text; };

  // SHA-256 (FIPS 180-4) of a text of ASCII, with the state of its first blocks kept.
  const K = Int32Array.of(
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2);
  const START = Int32Array.of(
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19);
  const w = new Int32Array(64);
  const block = (state, bytes, from) => {
    for (let i = 0; i < 16; i += 1, from += 4) {
      w[i] = bytes[from] << 24 | bytes[from + 1] << 16 | bytes[from + 2] << 8 | bytes[from + 3];
    }
    for (let i = 16; i < 64; i += 1) {
      const x = w[i - 15], y = w[i - 2];
      w[i] = (w[i - 16] + w[i - 7] | 0)
        + ((x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3)
        + ((y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10) | 0;
    }
    let a = state[0], b = state[1], c = state[2], d = state[3];
    let e = state[4], f = state[5], g = state[6], h = state[7];
    for (let i = 0; i < 64; i += 1) {
      const one = (h + ((e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7)) | 0)
        + ((e & f ^ ~e & g) + K[i] | 0) + w[i] | 0;
      const two = ((a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10))
        + (a & b ^ a & c ^ b & c) | 0;
      h = g; g = f; f = e; e = d + one | 0; d = c; c = b; b = a; a = one + two | 0;
    }
    state[0] += a; state[1] += b; state[2] += c; state[3] += d;
    state[4] += e; state[5] += f; state[6] += g; state[7] += h;
  };

  const { salt } = puzzle;
  const kept = Int32Array.from(START);
  const whole = salt.length - salt.length % 64;
  const ofSalt = Uint8Array.from(salt, (character) => character.charCodeAt(0));
  for (let from = 0; from < whole; from += 64) block(kept, ofSalt, from);
  const tail = new Uint8Array(128);
  const state = new Int32Array(8);
  const hash = (number) => {
    const digits = String(number);
    let length = salt.length - whole;
    for (let i = 0; i < digits.length; i += 1, length += 1) tail[length] = digits.charCodeAt(i);
    const size = length + 9 > 64 ? 128 : 64;
    tail.fill(0, length, size);
    tail[length] = 0x80;
    const bits = (whole + length) * 8;
    tail[size - 3] = bits >>> 16; tail[size - 2] = bits >>> 8; tail[size - 1] = bits;
    state.set(kept);
    block(state, tail, 0);
    if (size === 128) block(state, tail, 64);
    return state;
  };
  tail.set(ofSalt.subarray(whole));
  const wanted = Int32Array.from({ length: 8 }, (_, i) => parseInt(puzzle.challenge.slice(8 * i, 8 * i + 8), 16));

  const finish = (number) => {
    const { algorithm, challenge, signature } = puzzle;
    const answer = btoa(JSON.stringify({ algorithm, challenge, number, salt, signature }));
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `${cookie}=${answer}; Path=/; Max-Age=600; SameSite=Lax${secure}`;
    if (!document.cookie.includes(`${cookie}=`)) {
      say("Your browser does not keep cookies for this site. Allow them, or wait, and then log in again.");
      return;
    }
    say("Done. Log in again now.");
    if (back) location.replace(back); else history.back();
  };

  let next = 0;
  const work = () => {
    const until = Date.now() + 50;
    while (Date.now() < until) {
      for (let i = 0; i < 500; i += 1, next += 1) {
        const found = hash(next);
        if (found[0] === wanted[0] && found.every((word, at) => word === wanted[at])) {
          finish(next);
          return;
        }
      }
      if (next > puzzle.maxnumber) {
        say("This page is damaged. Wait, and then log in again.");
        return;
      }
    }
    bar.value = next;
    setTimeout(work);
  };
  bar.max = puzzle.maxnumber;
  bar.hidden = false;
  say("Your browser is working…");
  work();
})();
