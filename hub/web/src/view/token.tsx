import { useEffect, useRef, useState } from "preact/hooks";

/** Asks for the token that the hub requires. */
export function TokenForm({ refused, onToken }: { refused: boolean; onToken: (token: string) => void }) {
  const [token, setToken] = useState("");
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  return (
    <form
      class="card"
      aria-labelledby="token-title"
      onSubmit={(event) => {
        event.preventDefault();
        onToken(token.trim());
      }}
    >
      <h2 id="token-title">This hub wants a token</h2>
      <p class="faint">Whoever runs the hub gives it to you. This tab remembers it until it is closed.</p>
      {refused && (
        <p class="error" role="alert">
          The hub did not accept the last one: it is not valid, or not any more.
        </p>
      )}
      <label>
        Token
        <input
          id="token"
          ref={field}
          type="password"
          value={token}
          required
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
      </label>
      <button id="use-token">Connect</button>
    </form>
  );
}
