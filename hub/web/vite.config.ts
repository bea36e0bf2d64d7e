import { defineConfig } from "vite";

// `cargo build` runs this with an output folder of its own, see ../build.rs.
export default defineConfig({
  base: "./",
  build: {
    // The page's Content Security Policy allows no inline content, so nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    // With `npx vite` the page uses a hub on its default port.
    proxy: { "/hub": { target: "http://127.0.0.1:8080", ws: true } },
  },
});
