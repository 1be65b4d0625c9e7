package audit

// Subject is who a binding grants to.
type Subject struct {
	Kind      string `expr:"kind" json:"kind"`
	Name      string `expr:"name" json:"name"`
	Namespace string `expr:"namespace" json:"namespace"`
	APIGroup  string `expr:"apiGroup" json:"apiGroup"`
}

// RoleRef is what a binding grants.
type RoleRef struct {
	Kind     string `expr:"kind" json:"kind"`
	Name     string `expr:"name" json:"name"`
	APIGroup string `expr:"apiGroup" json:"apiGroup"`
}

// PolicyRule is one rule of a role.
type PolicyRule struct {
	Verbs           []string `expr:"verbs" json:"verbs"`
	APIGroups       []string `expr:"apiGroups" json:"apiGroups"`
	Resources       []string `expr:"resources" json:"resources"`
	ResourceNames   []string `expr:"resourceNames" json:"resourceNames"`
	NonResourceURLs []string `expr:"nonResourceURLs" json:"nonResourceURLs"`
}

// Grant is what a role or a binding says.
type Grant struct {
	Subjects []Subject    `json:"subjects"`
	RoleRef  RoleRef      `json:"roleRef"`
	Rules    []PolicyRule `json:"rules"`
}

// Grant returns the role or binding that the request is about. It is nil where
// the request is about something else, ErrUnknown where it was not recorded.
func (e *Event) Grant() (*Grant, error) {
	if e.ObjectRef.APIGroup != "rbac.authorization.k8s.io" {
		return nil, nil
	}
	switch e.ObjectRef.Resource {
	case "roles", "clusterroles", "rolebindings", "clusterrolebindings":
	default:
		return nil, nil
	}
	var g Grant
	if err := e.decodeObject(&g); err != nil {
		return nil, err
	}
	return &g, nil
}
