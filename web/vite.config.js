// How the pages are built: one bundle a page beside what all share, every text file compressed here and not when it is served.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

/** Puts `FILE.br` and `FILE.gz` beside each file. */
function compressed() {
  let out;
  return {
    name: "compressed",
    apply: "build",
    configResolved: config => (out = config.build.outDir),
    closeBundle() {
      for (const entry of readdirSync(out, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || /\.(br|gz)$/.test(entry.name)) continue;
        const file = join(entry.parentPath, entry.name);
        const bytes = readFileSync(file);
        writeFileSync(`${file}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }));
        writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
      }
    },
  };
}

export default defineConfig({
  plugins: [svelte(), compressed()],
  build: {
    // Browsers of 2024 and later: light-dark() and passkeys in JSON are there.
    target: ["chrome129", "firefox129", "safari17.5"],
    emptyOutDir: true,
    // Whose code is in the bundles, and under which licence.
    license: { fileName: "licences.txt" },
    // Nothing may be inlined: the policy of the pages allows no data: scripts, fonts or styles.
    assetsInlineLimit: 0,
    // Browsers of this age know modulepreload.
    modulePreload: { polyfill: false },
  },
});
