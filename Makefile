# The commands a person uses; each is a script or one line, so that CI runs the same.

.PHONY: demo test vm check race cross fuzz bench bench-peers

demo: ## A NAT network with a guest on it, in namespaces of its own, step by step.
	@.ci/demo

test: ## Everything that passes on this machine; as root also with the real kernel.
	@.ci/test

vm: ## The tests that need more of the kernel than this machine may have, in a virtual machine.
	@.ci/vm

check: ## Formatting, vet, linters, and what depends on what.
	@.ci/check

race: ## The tests again under the race detector, with fewer rounds of what is random, but for those in which other programs do the work.
	@.ci/test -race -short -skip 'EverySystemCallFails|ConformanceOfTellers|Killed|AdoptLibvirt|OVN|RealGuests|NetworkBoot|ForeignClients|ShortensLogs'

cross: ## Builds for systems that are not Linux.
	@.ci/cross

fuzz: ## Each fuzz target for FUZZTIME (default 10s).
	@.ci/fuzz

bench: ## The benchmarks, with docs/performance.md, and the tests that compare speeds.
	@.ci/bench

bench-peers: ## The same, with what else does this work: a running libvirtd and the bridge plugin of CNI.
	@.ci/bench libvirt-daemon libvirt-clients iptables containernetworking-plugins
