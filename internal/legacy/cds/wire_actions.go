package cds

import "time"

// Action is an action (§5).
type Action struct {
	ID             int64         `json:"id"`
	GroupID        int64         `json:"group_id,omitempty"`
	Name           string        `json:"name"`
	Type           string        `json:"type"`
	Description    string        `json:"description"`
	Enabled        bool          `json:"enabled"`
	Deprecated     bool          `json:"deprecated"`
	Optional       bool          `json:"optional"`
	AlwaysExecuted bool          `json:"always_executed"`
	Requirements   []Requirement `json:"requirements"` // null if there are none
	Parameters     []Parameter   `json:"parameters"`   // null if there are none
	Group          *Group        `json:"group,omitempty"`
}

// Requirement is what a worker must have.
type Requirement struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

// Parameter is what an action takes.
type Parameter struct {
	ID          int64  `json:"id"`
	Name        string `json:"name"`
	Type        string `json:"type"`
	Value       string `json:"value"`
	Description string `json:"description,omitempty"`
	Advanced    bool   `json:"advanced,omitempty"`
}

// Model is a worker model (§5).
type Model struct {
	ID                     int64          `json:"id"`
	Name                   string         `json:"name"`
	Description            string         `json:"description"`
	Type                   string         `json:"type"`
	Image                  string         `json:"image"`
	VirtualMachine         VirtualMachine `json:"model_virtual_machine"`
	Docker                 Docker         `json:"model_docker"`
	Communication          string         `json:"communication"`
	Disabled               bool           `json:"disabled"`
	Restricted             bool           `json:"restricted"`
	RegisteredCapabilities []Requirement  `json:"registered_capabilities"`
	RegisteredOS           string         `json:"registered_os"`
	RegisteredArch         string         `json:"registered_arch"`
	NeedRegistration       bool           `json:"need_registration"`
	LastRegistration       time.Time      `json:"last_registration"`
	CheckRegistration      bool           `json:"check_registration"`
	UserLastModified       time.Time      `json:"user_last_modified"`
	CreatedBy              User           `json:"created_by"`
	Provision              int64          `json:"provision"`
	GroupID                int64          `json:"group_id"`
	NbSpawnErr             int64          `json:"nb_spawn_err"`
	LastSpawnErr           string         `json:"last_spawn_err"`
	LastSpawnErrLogs       *string        `json:"last_spawn_err_log"`
	DateLastSpawnErr       *time.Time     `json:"date_last_spawn_err"`
	IsDeprecated           bool           `json:"is_deprecated"`
	IsOfficial             bool           `json:"is_official"`
	Group                  *Group         `json:"group,omitempty"`
}

// Docker is how the workers of a Docker model are made.
type Docker struct {
	Image    string            `json:"image,omitempty"`
	Private  bool              `json:"private,omitempty"`
	Registry string            `json:"registry,omitempty"`
	Username string            `json:"username,omitempty"`
	Password string            `json:"password,omitempty"`
	Memory   int64             `json:"memory,omitempty"`
	Envs     map[string]string `json:"envs,omitempty"`
	Shell    string            `json:"shell,omitempty"`
	Cmd      string            `json:"cmd,omitempty"`
}

// VirtualMachine is how the workers of a virtual machine model are made.
type VirtualMachine struct {
	Image   string `json:"image,omitempty"`
	Flavor  string `json:"flavor,omitempty"`
	PreCmd  string `json:"pre_cmd,omitempty"`
	Cmd     string `json:"cmd,omitempty"`
	PostCmd string `json:"post_cmd,omitempty"`
}
