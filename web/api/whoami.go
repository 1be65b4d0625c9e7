package api

import "context"

// Whoami is whom a token stands for.
type Whoami struct {
	Name     string   `json:"name"`
	Role     Role     `json:"role" enum:"viewer,analyst,admin"`
	Clusters []string `json:"clusters" nullable:"false" doc:"The clusters that it may see, or * for all."`
}

type whoamiOutput struct{ Body Whoami }

func (a *API) whoami(_ context.Context, r *request, _ *struct{}) (*whoamiOutput, error) {
	return &whoamiOutput{Whoami{r.principal.Name, r.principal.Role, r.principal.Clusters}}, nil
}
