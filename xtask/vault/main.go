// A Vault with what the tests of Mantlet need: its core, the KV engines, AppRole and JWT, and a folder for its storage.
// The real server brings every plugin there is, and takes ten times as long to build.
package main

import (
	"flag"
	"log"
	"net"
	"net/http"
	"slices"

	"github.com/hashicorp/go-hclog"
	jwt "github.com/hashicorp/vault-plugin-auth-jwt"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/credential/approle"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/file"
	"github.com/hashicorp/vault/vault"
)

// What is built in, for the catalog of plugins. The factories are those of the core's own configuration.
type registry struct{}

var names = map[consts.PluginType][]string{
	consts.PluginTypeSecrets:    {"kv", "leased-kv"},
	consts.PluginTypeCredential: {"approle", "jwt"},
}

func (registry) Keys(kind consts.PluginType) []string { return names[kind] }

func (registry) Contains(name string, kind consts.PluginType) bool {
	return slices.Contains(names[kind], name)
}

func (r registry) Get(name string, kind consts.PluginType) (func() (interface{}, error), bool) {
	return nil, r.Contains(name, kind)
}

func (r registry) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, r.Contains(name, kind)
}

func (registry) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }

func main() {
	folder := flag.String("storage", "", "folder of the storage")
	address := flag.String("listen", "127.0.0.1:8200", "address to listen on")
	certificate := flag.String("tls-cert", "", "PEM file of a certificate")
	key := flag.String("tls-key", "", "PEM file of its key")
	flag.Parse()
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Warn})
	storage, err := file.NewFileBackend(map[string]string{"path": *folder}, logger)
	if err != nil {
		log.Fatal(err)
	}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:        storage,
		DisableMlock:    true,
		BuiltinRegistry: registry{},
		Logger:          logger,
		LogicalBackends: map[string]logical.Factory{
			"kv":        kv.Factory,
			"leased-kv": vault.LeasedPassthroughBackendFactory,
		},
		CredentialBackends: map[string]logical.Factory{"approle": approle.Factory, "jwt": jwt.Factory},
	})
	if err != nil {
		log.Fatal(err)
	}
	handler := vaulthttp.Handler.Handler(&vault.HandlerProperties{
		Core:           core,
		ListenerConfig: &configutil.Listener{Address: *address},
	})
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("listening on %s", listener.Addr())
	if *certificate != "" {
		log.Fatal(http.ServeTLS(listener, handler, *certificate, *key))
	}
	log.Fatal(http.Serve(listener, handler))
}
