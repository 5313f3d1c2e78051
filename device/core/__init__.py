"""The pure core: ``step(state, event) -> (state, actions)``, without clock, input/output or hardware."""
