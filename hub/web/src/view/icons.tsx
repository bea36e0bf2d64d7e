// Icons. Each is shown beside its label, which may be only for screen readers.

import type { ComponentChildren } from "preact";

const Icon = ({ children }: { children: ComponentChildren }) => (
  <svg class="icon" viewBox="0 0 20 20" aria-hidden="true">
    {children}
  </svg>
);

/** The drawing of ../../public/favicon.svg. */
export const Brand = () => (
  <svg class="brand" viewBox="0 0 32 32" aria-hidden="true">
    <path d="M6 4h20a3 3 0 0 1 3 3v13a3 3 0 0 1-3 3H14l-7 6v-6H6a3 3 0 0 1-3-3V7a3 3 0 0 1 3-3z" />
    <g fill="#fff">
      <circle cx="10" cy="13.5" r="2" />
      <circle cx="16" cy="13.5" r="2" />
      <circle cx="22" cy="13.5" r="2" />
    </g>
  </svg>
);

export const LinkIcon = () => (
  <Icon>
    <path d="M8.5 11.5a3.2 3.2 0 0 0 4.6 0l2.6-2.6a3.25 3.25 0 0 0-4.6-4.6l-1 1M11.5 8.5a3.2 3.2 0 0 0-4.6 0l-2.6 2.6a3.25 3.25 0 0 0 4.6 4.6l1-1" />
  </Icon>
);

export const CheckIcon = () => (
  <Icon>
    <path d="m4.5 10.5 3.5 3.5 7.5-8" />
  </Icon>
);

export const PeopleIcon = () => (
  <Icon>
    <circle cx="7.5" cy="7" r="2.75" />
    <path d="M2.5 16c.3-2.8 2.3-4.5 5-4.5s4.7 1.7 5 4.5M13 4.5a2.6 2.6 0 0 1 0 5M14.7 12c1.6.6 2.6 2 2.8 4" />
  </Icon>
);

export const LeaveIcon = () => (
  <Icon>
    <path d="M8 3.5H5A1.5 1.5 0 0 0 3.5 5v10A1.5 1.5 0 0 0 5 16.5h3M12.5 13.5 16 10l-3.5-3.5M16 10H8" />
  </Icon>
);

export const SendIcon = () => (
  <Icon>
    <path d="M3.5 10 16.5 4l-4 12.5-3-5z M9.5 11.5 16.5 4" />
  </Icon>
);

export const ClockIcon = () => (
  <Icon>
    <circle cx="10" cy="10" r="6.5" />
    <path d="M10 6.5V10l2.5 1.5" />
  </Icon>
);

export const WarnIcon = () => (
  <Icon>
    <path d="M10 3.5 17 16H3zM10 8.5v3.5M10 14v.1" />
  </Icon>
);

export const DownIcon = () => (
  <Icon>
    <path d="M10 4v12M5 11l5 5 5-5" />
  </Icon>
);
