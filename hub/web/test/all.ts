// Built by Vite as the page is, and run by `node --test`.

import.meta.glob("./*.test.ts", { eager: true });
