package binding

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/nightshift-functions/nightshift/worker/rpc/rpcpb"
)

// ToJSON returns a value as JSON: text as a JSON string, bytes in base64, JSON as it is, nothing as null.
func ToJSON(v *rpcpb.TypedData) (json.RawMessage, error) {
	var plain any
	switch d := v.GetData().(type) {
	case nil:
	case *rpcpb.TypedData_Json:
		if !json.Valid([]byte(d.Json)) {
			return nil, fmt.Errorf("a value of %d bytes says it is JSON and is not", len(d.Json))
		}
		return json.RawMessage(d.Json), nil
	case *rpcpb.TypedData_String_:
		plain = d.String_
	case *rpcpb.TypedData_Bytes:
		plain = base64.StdEncoding.EncodeToString(d.Bytes)
	case *rpcpb.TypedData_Stream:
		plain = base64.StdEncoding.EncodeToString(d.Stream)
	case *rpcpb.TypedData_Int:
		plain = d.Int
	case *rpcpb.TypedData_Double:
		plain = d.Double
	case *rpcpb.TypedData_CollectionString:
		plain = d.CollectionString.GetString_()
	case *rpcpb.TypedData_CollectionBytes:
		plain = d.CollectionBytes.GetBytes()
	case *rpcpb.TypedData_CollectionDouble:
		plain = d.CollectionDouble.GetDouble()
	case *rpcpb.TypedData_CollectionSint64:
		plain = d.CollectionSint64.GetSint64()
	default:
		return nil, fmt.Errorf("a value of kind %T has no JSON form", d)
	}
	raw, err := json.Marshal(plain)
	if err != nil {
		return nil, fmt.Errorf("write a value as JSON: %w", err)
	}
	return raw, nil
}

// FromJSON makes a value of JSON: a JSON string becomes text, null nothing, anything else stays JSON.
func FromJSON(raw json.RawMessage) *rpcpb.TypedData {
	var s *string
	if len(raw) == 0 {
		return nil
	}
	if err := json.Unmarshal(raw, &s); err == nil {
		if s == nil {
			return nil
		}
		return text(*s)
	}
	return JSON(string(raw))
}
