// All tests, which Vite builds like the page, and `node --test` runs.

import.meta.glob("./*.test.ts", { eager: true });
