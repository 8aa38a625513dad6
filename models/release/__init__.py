"""From a judged candidate to what serving reads: artefacts, the gate, the registry. Nothing here trains."""
