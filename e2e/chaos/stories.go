package chaos

import "slices"

// stories make the requests of one story each, in order: of a rule of
// rules.yaml, or, as decoys, of what the rule must not find. The name is one
// that no other story of the kind has.
var stories = []func(name string, decoy bool) []scene{
	single, counted, distinct, ordered, unordered, ended, absent,
}

func single(name string, _ bool) []scene {
	return []scene{{user: "single-" + name, verb: "update", resource: "switches", instance: name}}
}

func counted(name string, decoy bool) []scene {
	all := slices.Repeat([]scene{{user: "count-" + name, verb: "get", resource: "widgets", instance: "same"}}, 4)
	if decoy {
		return all[:2]
	}
	return all
}

func distinct(name string, decoy bool) []scene {
	s := scene{user: "distinct-" + name, verb: "get", resource: "gadgets", instance: "one"}
	all := []scene{s, s, s, s}
	if !decoy {
		all[1].instance, all[3].instance = "two", "three"
	}
	return all
}

// steps are requests for one object, one for each verb.
func steps(user, resource, name string, verbs ...string) []scene {
	var all []scene
	for _, verb := range verbs {
		all = append(all, scene{user: user, verb: verb, resource: resource, instance: name})
	}
	return all
}

func ordered(name string, decoy bool) []scene {
	if decoy {
		return steps("ordered", "gizmos", name, "delete", "create")
	}
	return steps("ordered", "gizmos", name, "create", "get", "delete")
}

func unordered(name string, decoy bool) []scene {
	if decoy {
		return steps("unordered", "gears", name, "patch", "patch")
	}
	return steps("unordered", "gears", name, "patch", "update")
}

func ended(name string, decoy bool) []scene {
	if decoy {
		return steps("ended", "levers", name, "create", "delete", "update")
	}
	return steps("ended", "levers", name, "create", "update", "delete")
}

func absent(name string, decoy bool) []scene {
	if decoy {
		return steps("absent", "locks", name, "create", "update")
	}
	return steps("absent", "locks", name, "create", "get")
}
