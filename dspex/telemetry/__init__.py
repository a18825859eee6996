"""Events as logs, traces and metrics: handlers of what dspex tells anyway."""
