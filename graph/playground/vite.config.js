import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, gzipSync } from 'node:zlib';
import { defineConfig } from 'vite';

// Assets lie in dist as they are addressed: dist/playground/x.js is /playground/x.js. The Go package serves them so.
const assets = 'playground';

export default defineConfig({
  base: './',
  build: {
    assetsDir: assets,
    assetsInlineLimit: 0, // files of our own, never data: URLs, so that the content security policy stays narrow
    chunkSizeWarningLimit: 4096, // the editor is one large chunk, loaded from the same server
    license: { fileName: `${assets}/licenses.txt` },
    modulePreload: { polyfill: false },
    rolldownOptions: { checks: { moduleLevelDirective: false } }, // "use client" means nothing here
    target: 'es2022',
  },
  plugins: [{ name: 'finish', apply: 'build', writeBundle: finish }],
  server: { proxy: { '/graphql': 'http://127.0.0.1:8080' } },
  worker: { format: 'es' },
});

function finish() {
  const dir = join('dist', assets);
  licenseFonts(join(dir, 'licenses.txt'));
  compress(dir);
  writeFileSync(join('dist', '.gitkeep'), ''); // lets the Go package compile before the first build
}

// licenseFonts adds the licenses of the typefaces to those of the scripts, which Vite collects.
function licenseFonts(file) {
  for (const name of ['@fontsource/fira-code', '@fontsource/roboto']) {
    const license = readFileSync(join('node_modules', name, 'LICENSE'), 'utf8');
    appendFileSync(file, `\n---\n\n## ${name}\n\n${license}`);
  }
}

// compress leaves every asset gzipped and nothing else, which is what the Go package embeds.
function compress(dir) {
  for (const name of readdirSync(dir)) {
    const file = join(dir, name);
    writeFileSync(`${file}.gz`, gzipSync(readFileSync(file), { level: constants.Z_BEST_COMPRESSION }));
    rmSync(file);
  }
}
