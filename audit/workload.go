package audit

import (
	"path"
	"slices"
	"strings"
)

// PodSpec is what a workload asks of the node that it runs on. Field names in
// rules are those of the tags.
type PodSpec struct {
	HostNetwork           bool     `expr:"hostNetwork"`
	HostPID               bool     `expr:"hostPID"`
	HostIPC               bool     `expr:"hostIPC"`
	ShareProcessNamespace bool     `expr:"shareProcessNamespace"`
	ServiceAccountName    string   `expr:"serviceAccountName"`
	NodeName              string   `expr:"nodeName"`
	PriorityClassName     string   `expr:"priorityClassName"`
	Volumes               []Volume `expr:"volumes"`
}

// Volume is a volume of a pod. Type is the name of its source, as hostPath or
// secret; Path is a host path, cleaned, or "".
type Volume struct {
	Name string `expr:"name"`
	Type string `expr:"type"`
	Path string `expr:"path"`
}

// Container is a container of a pod: init and ephemeral ones included.
type Container struct {
	Name                     string   `expr:"name"`
	Kind                     string   `expr:"kind"` // container, init or ephemeral
	Image                    string   `expr:"image"`
	Privileged               bool     `expr:"privileged"`
	AllowPrivilegeEscalation bool     `expr:"allowPrivilegeEscalation"` // asked for by name
	RunAsRoot                bool     `expr:"runAsRoot"`                // runAsUser 0, of the container or the pod
	Unconfined               bool     `expr:"unconfined"`               // seccomp or AppArmor switched off by name
	Capabilities             []string `expr:"capabilities"`             // added ones, upper case, without CAP_
	Command                  string   `expr:"command"`                  // command and arguments, joined by spaces
	HostPorts                []int    `expr:"hostPorts"`
}

// Workload is a pod, or the pod template of a controller.
type Workload struct {
	Spec       PodSpec
	Containers []Container
	Labels     map[string]string
}

// workloadResources are the resources whose objects carry a pod spec.
var workloadResources = []string{
	"pods", "podtemplates", "replicationcontrollers", "deployments", "daemonsets",
	"statefulsets", "replicasets", "jobs", "cronjobs",
}

// workloadSubresources are those whose object is the workload itself.
var workloadSubresources = []string{"", "ephemeralcontainers", "resize", "status"}

// Workload returns the pod or pod template that the request is about. It is nil
// where the request is about something else, ErrUnknown where it was not recorded.
func (e *Event) Workload() (*Workload, error) {
	ref := &e.ObjectRef
	if !slices.Contains(workloadResources, ref.Resource) || !slices.Contains(workloadSubresources, ref.Subresource) {
		return nil, nil
	}
	var body workloadBody
	if err := e.decodeObject(&body); err != nil {
		return nil, err
	}
	return body.workload(), nil
}

// workloadBody reads a pod spec wherever the kinds keep it.
type workloadBody struct {
	Metadata metaBody `json:"metadata"`
	Spec     struct {
		podSpecBody
		Template    *templateBody `json:"template"`
		JobTemplate *struct {
			Spec struct {
				Template templateBody `json:"template"`
			} `json:"spec"`
		} `json:"jobTemplate"`
	} `json:"spec"`
	Template *templateBody `json:"template"` // PodTemplate
}

type metaBody struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

type templateBody struct {
	Metadata metaBody    `json:"metadata"`
	Spec     podSpecBody `json:"spec"`
}

type podSpecBody struct {
	HostNetwork           bool             `json:"hostNetwork"`
	HostPID               bool             `json:"hostPID"`
	HostIPC               bool             `json:"hostIPC"`
	ShareProcessNamespace bool             `json:"shareProcessNamespace"`
	ServiceAccountName    string           `json:"serviceAccountName"`
	NodeName              string           `json:"nodeName"`
	PriorityClassName     string           `json:"priorityClassName"`
	Volumes               []map[string]any `json:"volumes"`
	Containers            []containerBody  `json:"containers"`
	InitContainers        []containerBody  `json:"initContainers"`
	EphemeralContainers   []containerBody  `json:"ephemeralContainers"`
	SecurityContext       securityBody     `json:"securityContext"`
}

type containerBody struct {
	Name            string       `json:"name"`
	Image           string       `json:"image"`
	Command         []string     `json:"command"`
	Args            []string     `json:"args"`
	SecurityContext securityBody `json:"securityContext"`
	Ports           []struct {
		HostPort int `json:"hostPort"`
	} `json:"ports"`
}

type securityBody struct {
	Privileged               bool   `json:"privileged"`
	AllowPrivilegeEscalation bool   `json:"allowPrivilegeEscalation"`
	RunAsUser                *int64 `json:"runAsUser"`
	Capabilities             struct {
		Add []string `json:"add"`
	} `json:"capabilities"`
	SeccompProfile  profileBody `json:"seccompProfile"`
	AppArmorProfile profileBody `json:"appArmorProfile"`
}

type profileBody struct {
	Type string `json:"type"`
}

func (b *workloadBody) workload() *Workload {
	switch {
	case b.Spec.Template != nil:
		return newWorkload(&b.Spec.Template.Metadata, &b.Spec.Template.Spec)
	case b.Spec.JobTemplate != nil:
		t := &b.Spec.JobTemplate.Spec.Template
		return newWorkload(&t.Metadata, &t.Spec)
	case b.Template != nil:
		return newWorkload(&b.Template.Metadata, &b.Template.Spec)
	default:
		return newWorkload(&b.Metadata, &b.Spec.podSpecBody)
	}
}

func newWorkload(meta *metaBody, spec *podSpecBody) *Workload {
	w := &Workload{
		Spec: PodSpec{
			HostNetwork:           spec.HostNetwork,
			HostPID:               spec.HostPID,
			HostIPC:               spec.HostIPC,
			ShareProcessNamespace: spec.ShareProcessNamespace,
			ServiceAccountName:    spec.ServiceAccountName,
			NodeName:              spec.NodeName,
			PriorityClassName:     spec.PriorityClassName,
		},
		Labels: meta.Labels,
	}
	for _, v := range spec.Volumes {
		w.Spec.Volumes = append(w.Spec.Volumes, newVolume(v))
	}
	for _, group := range []struct {
		kind string
		list []containerBody
	}{{"container", spec.Containers}, {"init", spec.InitContainers}, {"ephemeral", spec.EphemeralContainers}} {
		for i := range group.list {
			c := newContainer(group.kind, &group.list[i], &spec.SecurityContext)
			c.Unconfined = c.Unconfined || legacyUnconfined(meta.Annotations, c.Name)
			w.Containers = append(w.Containers, c)
		}
	}
	return w
}

func newVolume(v map[string]any) Volume {
	var out Volume
	out.Name, _ = v["name"].(string)
	for source, spec := range v {
		if source == "name" {
			continue
		}
		// A volume has one source; hostPath wins in what the API would refuse.
		if out.Type != "hostPath" {
			out.Type = source
		}
		if source == "hostPath" {
			fields, _ := spec.(map[string]any)
			p, _ := fields["path"].(string)
			out.Path = path.Clean("/" + p)
		}
	}
	return out
}

func newContainer(kind string, b *containerBody, pod *securityBody) Container {
	sc := &b.SecurityContext
	user := sc.RunAsUser
	if user == nil {
		user = pod.RunAsUser
	}
	c := Container{
		Name:                     b.Name,
		Kind:                     kind,
		Image:                    b.Image,
		Privileged:               sc.Privileged,
		AllowPrivilegeEscalation: sc.AllowPrivilegeEscalation,
		RunAsRoot:                user != nil && *user == 0,
		Unconfined: isUnconfined(sc.SeccompProfile, pod.SeccompProfile) ||
			isUnconfined(sc.AppArmorProfile, pod.AppArmorProfile),
		Command: strings.Join(slices.Concat(b.Command, b.Args), " "),
	}
	for _, name := range sc.Capabilities.Add {
		c.Capabilities = append(c.Capabilities, strings.TrimPrefix(strings.ToUpper(name), "CAP_"))
	}
	for _, p := range b.Ports {
		if p.HostPort != 0 {
			c.HostPorts = append(c.HostPorts, p.HostPort)
		}
	}
	return c
}

func isUnconfined(container, pod profileBody) bool {
	if container.Type == "" {
		container = pod
	}
	return container.Type == "Unconfined"
}

// legacyUnconfined reads the annotations that came before the profile fields.
func legacyUnconfined(annotations map[string]string, container string) bool {
	return annotations["container.apparmor.security.beta.kubernetes.io/"+container] == "unconfined"
}
