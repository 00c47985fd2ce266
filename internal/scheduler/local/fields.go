package local

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// acceptedFields is the closed list of job fields that this scheduler honours. A field is named by its path without
// indexes; one below a struct needs its own line. Whatever is not here is refused, so that a job never silently runs
// otherwise than on a cluster.
func acceptedFields() map[string]bool {
	const group, task = "job.TaskGroups.", "job.TaskGroups.Tasks."
	blocks := map[string]string{
		"job.":                           "ID Name Type Region Namespace NodePool Datacenters Meta Update TaskGroups",
		"job.Update.":                    "MaxParallel",
		group:                            "Name Count Tasks RestartPolicy ReschedulePolicy Networks Services Meta ShutdownDelay",
		group + "RestartPolicy.":         "Attempts Interval Delay Mode",
		group + "ReschedulePolicy.":      "Attempts Delay DelayFunction MaxDelay Unlimited",
		group + "Networks.":              "Mode DynamicPorts",
		group + "Networks.DynamicPorts.": "Label",
		group + "Services.":              "Name Tags Meta PortLabel Provider AddressMode Checks",
		group + "Services.Checks.":       "Name Type Path Method Interval Timeout FailuresBeforeCritical",
		task:                             "Name Driver User Config Env Meta Resources KillTimeout LogConfig Identities",
		task + "Resources.":              "CPU MemoryMB",
		task + "LogConfig.":              "MaxFiles MaxFileSizeMB",
		task + "Identities.":             "Name Audience File",
	}
	accepted := map[string]bool{}
	for prefix, names := range blocks {
		for name := range strings.FieldsSeq(names) {
			accepted[prefix+name] = true
		}
	}
	return accepted
}

// refuseUnknownFields returns an Invalid error that names the first set field outside the closed list.
func refuseUnknownFields(job *api.Job) error {
	return fieldWalk{accepted: acceptedFields()}.fields("job", "job", reflect.ValueOf(job).Elem())
}

type fieldWalk struct{ accepted map[string]bool }

// fields checks the fields of one struct. path has indexes and is for people, key has none and is for the list.
func (w fieldWalk) fields(path, key string, v reflect.Value) error {
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		path, key := path+"."+field.Name, key+"."+field.Name
		if !w.accepted[key] {
			if unset(value) {
				continue
			}
			return azfunc.Errorf(azfunc.Invalid, "%s: the local scheduler does not know %s; leave it out, or run the job on Nomad", path, nomadName(field))
		}
		if err := w.value(path, key, value); err != nil {
			return err
		}
	}
	return nil
}

func (w fieldWalk) value(path, key string, v reflect.Value) error {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return w.value(path, key, v.Elem())
	case reflect.Struct:
		return w.fields(path, key, v)
	case reflect.Slice:
		for i := range v.Len() {
			if err := w.element(fmt.Sprintf("%s[%d]", path, i), key, v.Index(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// element refuses a nil block in a list: whoever reads the list may then rely on its elements.
func (w fieldWalk) element(path, key string, v reflect.Value) error {
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return azfunc.Errorf(azfunc.Invalid, "%s: is empty", path)
	}
	return w.value(path, key, v)
}

// unset reports whether a field says nothing: it has its zero value, is empty, or points to false, 0 or "".
func unset(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	case reflect.Pointer:
		return v.IsNil() || v.Elem().Kind() != reflect.Struct && v.Elem().IsZero()
	default:
		return v.IsZero()
	}
}

// nomadName is the field as a job file spells it: "template" for Templates.
func nomadName(field reflect.StructField) string {
	if name, kind, _ := strings.Cut(field.Tag.Get("hcl"), ","); name != "" {
		if kind == "block" {
			return fmt.Sprintf("the block %q", name)
		}
		return fmt.Sprintf("%q", name)
	}
	return fmt.Sprintf("the field %q", field.Name)
}
