package azfunc

import "time"

const (
	defaultHandlerStart = 30 * time.Second
	maxPort             = 65535
)

func (h *HostJSON) readCustomHandler(props Properties) error {
	if v, ok := props.Get("customHandler"); !ok || v == nil {
		return nil
	}
	section, err := props.Section("customHandler")
	if err != nil {
		return err
	}
	c := &CustomHandler{}
	for _, read := range []func(Properties) error{c.readDescription, c.readSwitches, c.readRoutes} {
		if err := read(section); err != nil {
			return within("customHandler", err)
		}
	}
	h.CustomHandler = c
	return nil
}

func (c *CustomHandler) readDescription(section Properties) error {
	d, err := section.Section("description")
	if err != nil {
		return err
	}
	for key, target := range map[string]*string{
		"defaultExecutablePath": &c.Executable, "defaultWorkerPath": &c.WorkerPath, "workingDirectory": &c.WorkingDirectory,
	} {
		if *target, err = d.Text(key, ""); err != nil {
			return within("description", err)
		}
	}
	if c.Executable == "" {
		return Errorf(Invalid, `description.defaultExecutablePath is missing: name the program that serves the functions`)
	}
	if c.Arguments, err = d.List("arguments"); err != nil {
		return within("description", err)
	}
	c.WorkerArguments, err = d.List("workerArguments")
	return within("description", err)
}

func (c *CustomHandler) readSwitches(section Properties) error {
	var err error
	if c.EnableForwardingHTTPRequest, err = section.Bool("enableForwardingHttpRequest", false); err != nil {
		return err
	}
	if c.EnableProxyingHTTPRequest, err = section.Bool("enableProxyingHttpRequest", false); err != nil {
		return err
	}
	if c.InitializationTimeout, err = section.Duration("initializationTimeout", defaultHandlerStart); err != nil {
		return err
	}
	if c.InitializationTimeout <= 0 {
		return Errorf(Invalid, `"initializationTimeout" must be more than zero`)
	}
	if c.Port, err = section.Int("port", 0); err != nil {
		return err
	}
	if c.Port < 0 || c.Port > maxPort {
		return Errorf(Invalid, `"port" is %d: use 1 to %d, or leave it out`, c.Port, maxPort)
	}
	return nil
}

func (c *CustomHandler) readRoutes(section Properties) error {
	s, err := section.Section("http")
	if err != nil {
		return err
	}
	if c.HTTPDefaultAuthorizationLevel, err = s.Text("defaultAuthorizationLevel", ""); err != nil {
		return within("http", err)
	}
	v, _ := s.Get("routes")
	array, ok := v.([]any)
	if !ok && v != nil {
		return within("http", wrongKind("routes", "a list", v))
	}
	for _, item := range array {
		object, ok := item.(Properties)
		if !ok {
			return within("http", wrongKind("routes", "a list of objects", item))
		}
		var r CustomRoute
		if r.Route, err = object.Text("route", ""); err != nil {
			return within("http.routes", err)
		}
		if r.AuthorizationLevel, err = object.Text("authorizationLevel", ""); err != nil {
			return within("http.routes", err)
		}
		c.HTTPRoutes = append(c.HTTPRoutes, r)
	}
	return nil
}
