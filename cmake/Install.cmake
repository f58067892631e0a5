# Filled by runtime/, lib/ and tools/: headers, exported targets, pkg-config.
