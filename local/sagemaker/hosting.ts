/**
 * SageMaker's hosting: models, endpoint configurations, endpoints and inference components, each with its
 * records below the state folder, and the model servers that answer for them.
 */
import { join } from 'node:path'
import type {
  ContainerDefinition,
  CreateEndpointConfigInput,
  CreateEndpointInput,
  CreateInferenceComponentInput,
  CreateModelInput,
  DescribeEndpointConfigOutput,
  DescribeEndpointOutput,
  DescribeInferenceComponentOutput,
  DescribeModelOutput,
  EndpointConfigSummary,
  EndpointStatus,
  EndpointSummary,
  InferenceComponentSpecification,
  InferenceComponentStatus,
  InferenceComponentSummary,
  ModelSummary,
  ProductionVariant,
  UpdateEndpointInput,
  UpdateInferenceComponentInput,
} from '@aws-sdk/client-sagemaker'
import { validationException } from './aws-error.ts'
import {
  assertSpecification,
  assertVariant,
  notHere,
  type Served,
  servedByContainer,
} from './hosting-rules.ts'
import { type ListRequest, listPage } from './list-page.ts'
import {
  createModelServer,
  forgetOtherModelServers,
  type ModelServer,
  type ModelServerSettings,
  Superseded,
} from './model-server.ts'
import { openRecordFolder } from './record-folder.ts'

/** AWS's default for the time in which a container has to answer its health check. */
const DEFAULT_STARTUP_SECONDS = 600

/** Instants are epoch milliseconds. */
type Created<Request> = { name: string; arn: string; request: Request; createdAt: number; modifiedAt: number }
type ModelRecord = Created<CreateModelInput>
type EndpointConfigRecord = Created<CreateEndpointConfigInput>
type EndpointRecord = Created<CreateEndpointInput> & {
  configName: string
  /** Of its configuration, which may be deleted while the endpoint lives. */
  variants: ProductionVariant[]
  status: EndpointStatus
  failureReason?: string
  /** Counts changes of what is served, so that new weights do not overwrite those in use. */
  revision: number
}
type ComponentRecord = Created<CreateInferenceComponentInput> & {
  specification: InferenceComponentSpecification
  copyCount: number
  status: InferenceComponentStatus
  failureReason?: string
  revision: number
}

/** Where an invocation goes. */
export type InvocationTarget = {
  /** As AWS names it in the answer: the variant, or the component. */
  name: string
  variant: string
  server: ModelServer | undefined
  isComponent: boolean
}

export type Hosting = ReturnType<typeof openHosting>

/** Opens the hosting of `stateDir`; endpoints and components of an earlier run are served again. */
export function openHosting(
  settings: ModelServerSettings & { arnOf: (kind: string, name: string) => string },
) {
  const folder = (kind: string) => join(settings.stateDir, kind)
  const models = openRecordFolder<ModelRecord>(folder('models'))
  const configs = openRecordFolder<EndpointConfigRecord>(folder('endpoint-configs'))
  const endpoints = openRecordFolder<EndpointRecord>(folder('endpoints'))
  const components = openRecordFolder<ComponentRecord>(folder('inference-components'))
  /** The server that answers now, by unit: a component, or a variant of an endpoint. */
  const servers = new Map<string, { revision: number; server: ModelServer }>()
  /** A revision on its way to take the place of the one that answers. */
  const successors = new Map<string, ModelServer>()
  /** Work that nobody waits for in a request; `close` does. */
  const background = new Set<Promise<void>>()

  const componentUnit = (name: string) => `component-${name}`
  const variantUnit = (endpoint: string, variant: string) => `endpoint-${endpoint}.${variant}`
  const serverKey = (unit: string, revision: number) => `${unit}.r${revision}`

  // Records

  function findModel(name: string): ModelRecord {
    return models.get(name) ?? fail(`Could not find model "${settings.arnOf('model', name)}".`)
  }
  function findConfig(name: string): EndpointConfigRecord {
    const arn = settings.arnOf('endpoint-config', name)
    return configs.get(name) ?? fail(`Could not find endpoint configuration "${arn}".`)
  }
  function findEndpoint(name: string): EndpointRecord {
    return endpoints.get(name) ?? fail(`Could not find endpoint "${settings.arnOf('endpoint', name)}".`)
  }
  function findComponent(name: string): ComponentRecord {
    const arn = settings.arnOf('inference-component', name)
    return components.get(name) ?? fail(`Could not find inference component "${arn}".`)
  }
  function saveEndpoint(endpoint: EndpointRecord, change: Partial<EndpointRecord>): void {
    Object.assign(endpoint, change, { modifiedAt: Date.now() })
    endpoints.put(endpoint.name, endpoint)
  }
  function saveComponent(component: ComponentRecord, change: Partial<ComponentRecord>): void {
    Object.assign(component, change, { modifiedAt: Date.now() })
    components.put(component.name, component)
  }
  const componentsOf = (endpoint: string) =>
    components.all().filter(component => component.request.EndpointName === endpoint)

  function variantOf(endpoint: EndpointRecord, name: string | undefined): ProductionVariant {
    return (
      endpoint.variants.find(variant => variant.VariantName === name) ??
      fail(`Could not find production variant "${name}" of endpoint "${endpoint.arn}".`)
    )
  }

  // Serving

  function inBackground(work: Promise<void>): void {
    const tracked = work.catch(() => {}).finally(() => background.delete(tracked))
    background.add(tracked)
  }

  /**
   * Brings a unit to `copies` copies of `served`. A new revision is started beside the one that answers and
   * takes its place only when it is healthy.
   */
  async function serve(
    unit: string,
    revision: number,
    served: Served,
    copies: number,
    startupSeconds: number,
  ) {
    const current = servers.get(unit)
    if (current?.revision === revision) return current.server.scaleTo(copies, startupSeconds * 1000)
    const server = createModelServer(settings, serverKey(unit, revision), served.source, served.environment)
    if (!current) {
      servers.set(unit, { revision, server })
      return server.scaleTo(copies, startupSeconds * 1000)
    }
    successors.set(unit, server)
    try {
      await server.scaleTo(copies, startupSeconds * 1000)
      if (successors.get(unit) !== server) throw new Superseded()
    } catch (error) {
      await server.stop(true)
      throw error
    }
    successors.delete(unit)
    servers.set(unit, { revision, server })
    await current.server.stop(true, true)
  }

  async function unserve(unit: string): Promise<void> {
    const stopping = [servers.get(unit)?.server, successors.get(unit)]
    servers.delete(unit)
    successors.delete(unit)
    await Promise.all(stopping.map(server => server?.stop(true)))
  }

  /**
   * Serves what the record says, or `changed` instead of it. A change that does not become healthy is rolled
   * back: what answered before goes on, and the reason is kept.
   */
  async function applyComponent(component: ComponentRecord, changed?: InferenceComponentSpecification) {
    const unit = componentUnit(component.name)
    const specification = changed ?? component.specification
    const revision = component.revision + (changed ? 1 : 0)
    try {
      const startup = specification.StartupParameters?.ContainerStartupHealthCheckTimeoutInSeconds
      const served = servedBySpecification(specification)
      await serve(unit, revision, served, component.copyCount, startup ?? DEFAULT_STARTUP_SECONDS)
      saveComponent(component, { specification, revision, status: 'InService' })
    } catch (error) {
      if (error instanceof Superseded || component.status === 'Deleting') return
      const rolledBack = changed && servers.has(unit)
      if (!rolledBack) await unserve(unit)
      saveComponent(component, {
        status: rolledBack ? 'InService' : 'Failed',
        failureReason: reasonOf(error),
      })
    }
  }

  /** As for a component: `changed` takes the place of the endpoint's configuration once it is healthy. */
  async function applyEndpoint(endpoint: EndpointRecord, changed?: EndpointConfigRecord): Promise<void> {
    const variants = changed?.request.ProductionVariants ?? endpoint.variants
    const revision = endpoint.revision + (changed ? 1 : 0)
    const unitsOf = (some: readonly ProductionVariant[]) =>
      some.map(variant => variantUnit(endpoint.name, variant.VariantName!))
    try {
      for (const variant of variants) {
        if (!variant.ModelName) continue
        const served = servedByContainer(containerOf(findModel(variant.ModelName)))
        const startup = variant.ContainerStartupHealthCheckTimeoutInSeconds ?? DEFAULT_STARTUP_SECONDS
        // One machine stands for all instances: a second copy would only share its cores.
        await serve(variantUnit(endpoint.name, variant.VariantName!), revision, served, 1, startup)
      }
      for (const unit of unitsOf(endpoint.variants))
        if (!unitsOf(variants).includes(unit)) await unserve(unit)
      const configName = changed?.name ?? endpoint.configName
      saveEndpoint(endpoint, { configName, variants, revision, status: 'InService' })
    } catch (error) {
      if (error instanceof Superseded || endpoint.status === 'Deleting') return
      const rolledBack = changed && unitsOf(endpoint.variants).some(unit => servers.has(unit))
      if (!rolledBack) await unserveEndpoint(endpoint)
      saveEndpoint(endpoint, { status: rolledBack ? 'InService' : 'Failed', failureReason: reasonOf(error) })
    }
  }

  async function unserveEndpoint(endpoint: EndpointRecord): Promise<void> {
    const own = [...servers.keys()].filter(unit => unit.startsWith(variantUnit(endpoint.name, '')))
    await Promise.all(own.map(unserve))
  }

  function servedBySpecification(specification: InferenceComponentSpecification): Served {
    const named = specification.ModelName ? containerOf(findModel(specification.ModelName)) : {}
    const { ArtifactUrl, Image, Environment } = specification.Container ?? {}
    return servedByContainer({
      ...named,
      ...(ArtifactUrl ? { ModelDataUrl: ArtifactUrl, ModelDataSource: undefined } : {}),
      ...(Image ? { Image } : {}),
      Environment: { ...named.Environment, ...Environment },
    })
  }

  // What of an earlier run was in service comes back, each behind its own health check.
  const keys = new Set<string>()
  for (const endpoint of endpoints.all()) {
    for (const variant of endpoint.variants)
      keys.add(serverKey(variantUnit(endpoint.name, variant.VariantName!), endpoint.revision))
    if (endpoint.status === 'Deleting') inBackground(removeEndpoint(endpoint))
    else if (endpoint.status !== 'Failed') {
      if (endpoint.status === 'InService') saveEndpoint(endpoint, { status: 'Updating' })
      inBackground(applyEndpoint(endpoint))
    }
  }
  for (const component of components.all()) {
    keys.add(serverKey(componentUnit(component.name), component.revision))
    if (component.status === 'Deleting') inBackground(removeComponent(component))
    else if (component.status !== 'Failed') {
      if (component.status === 'InService') saveComponent(component, { status: 'Updating' })
      inBackground(applyComponent(component))
    }
  }
  forgetOtherModelServers(settings, keys)

  async function removeEndpoint(endpoint: EndpointRecord): Promise<void> {
    await unserveEndpoint(endpoint)
    endpoints.remove(endpoint.name)
  }

  async function removeComponent(component: ComponentRecord): Promise<void> {
    await unserve(componentUnit(component.name))
    components.remove(component.name)
  }

  function instancesOf(endpoint: EndpointRecord, variant: ProductionVariant): number {
    const scaling = variant.ManagedInstanceScaling
    const minimum =
      scaling?.Status === 'ENABLED' ? (scaling.MinInstanceCount ?? 1) : (variant.InitialInstanceCount ?? 1)
    const busy = componentsOf(endpoint.name).some(
      component => component.request.VariantName === variant.VariantName && component.copyCount > 0,
    )
    return Math.max(minimum, busy ? 1 : 0)
  }

  function create<Request>(kind: string, name: string, request: Request): Created<Request> {
    const now = Date.now()
    return { name, arn: settings.arnOf(kind, name), request, createdAt: now, modifiedAt: now }
  }

  return {
    createModel(request: CreateModelInput): { ModelArn: string } {
      const name = request.ModelName!
      const arn = settings.arnOf('model', name)
      if (models.get(name)) throw validationException(`Cannot create already existing model "${arn}".`)
      if (!request.ExecutionRoleArn) throw validationException('ExecutionRoleArn is required')
      if (request.Containers && request.PrimaryContainer)
        throw validationException('Only one of PrimaryContainer and Containers can be specified')
      if (request.Containers && request.Containers.length > 1) throw notHere('inference pipelines')
      const record: ModelRecord = create('model', name, request)
      servedByContainer(containerOf(record))
      models.put(name, record)
      return { ModelArn: arn }
    },
    describeModel(name: string): DescribeModelOutput {
      const { request, arn, createdAt } = findModel(name)
      const { Tags: _tags, ...rest } = request
      return {
        ...rest,
        ModelName: name,
        ModelArn: arn,
        CreationTime: new Date(createdAt),
        EnableNetworkIsolation: request.EnableNetworkIsolation ?? false,
      }
    },
    deleteModel(name: string): void {
      findModel(name)
      models.remove(name)
    },
    listModels(request: ListRequest): { Models: ModelSummary[]; NextToken?: string } {
      const { page, ...next } = listPage(models.all(), request, 'Descending')
      const Models = page.map(model => ({
        ModelName: model.name,
        ModelArn: model.arn,
        CreationTime: new Date(model.createdAt),
      }))
      return { Models, ...next }
    },

    createEndpointConfig(request: CreateEndpointConfigInput): { EndpointConfigArn: string } {
      const name = request.EndpointConfigName!
      const arn = settings.arnOf('endpoint-config', name)
      if (configs.get(name))
        throw validationException(`Cannot create already existing endpoint configuration "${arn}".`)
      const variants = request.ProductionVariants!
      if (new Set(variants.map(variant => variant.VariantName)).size !== variants.length)
        throw validationException('Duplicate production variant names are not allowed')
      for (const variant of variants) assertVariant(variant, request, findModel)
      configs.put(name, create('endpoint-config', name, request))
      return { EndpointConfigArn: arn }
    },
    describeEndpointConfig(name: string): DescribeEndpointConfigOutput {
      const { request, arn, createdAt } = findConfig(name)
      const { Tags: _tags, ...rest } = request
      return {
        ...rest,
        EndpointConfigName: name,
        EndpointConfigArn: arn,
        ProductionVariants: request.ProductionVariants,
        CreationTime: new Date(createdAt),
      }
    },
    deleteEndpointConfig(name: string): void {
      findConfig(name)
      configs.remove(name)
    },
    listEndpointConfigs(request: ListRequest): {
      EndpointConfigs: EndpointConfigSummary[]
      NextToken?: string
    } {
      const { page, ...next } = listPage(configs.all(), request, 'Descending')
      const EndpointConfigs = page.map(config => ({
        EndpointConfigName: config.name,
        EndpointConfigArn: config.arn,
        CreationTime: new Date(config.createdAt),
      }))
      return { EndpointConfigs, ...next }
    },

    createEndpoint(request: CreateEndpointInput): { EndpointArn: string } {
      const name = request.EndpointName!
      const arn = settings.arnOf('endpoint', name)
      if (endpoints.get(name)) throw validationException(`Cannot create already existing endpoint "${arn}".`)
      const config = findConfig(request.EndpointConfigName!)
      const endpoint: EndpointRecord = {
        ...create('endpoint', name, request),
        configName: config.name,
        variants: config.request.ProductionVariants!,
        status: 'Creating',
        revision: 1,
      }
      endpoints.put(name, endpoint)
      inBackground(applyEndpoint(endpoint))
      return { EndpointArn: arn }
    },
    describeEndpoint(name: string): DescribeEndpointOutput {
      const endpoint = findEndpoint(name)
      return {
        EndpointName: name,
        EndpointArn: endpoint.arn,
        EndpointConfigName: endpoint.configName,
        EndpointStatus: endpoint.status,
        CreationTime: new Date(endpoint.createdAt),
        LastModifiedTime: new Date(endpoint.modifiedAt),
        ...(endpoint.failureReason === undefined ? {} : { FailureReason: endpoint.failureReason }),
        // AWS shows the variants once there is something to show.
        ...(endpoint.status === 'Creating' || endpoint.status === 'Failed'
          ? {}
          : {
              ProductionVariants: endpoint.variants.map(variant => ({
                VariantName: variant.VariantName,
                CurrentWeight: variant.InitialVariantWeight ?? 1,
                DesiredWeight: variant.InitialVariantWeight ?? 1,
                CurrentInstanceCount: instancesOf(endpoint, variant),
                DesiredInstanceCount: instancesOf(endpoint, variant),
                ManagedInstanceScaling: variant.ManagedInstanceScaling,
                RoutingConfig: variant.RoutingConfig,
              })),
            }),
      }
    },
    updateEndpoint(request: UpdateEndpointInput): { EndpointArn: string } {
      const endpoint = findEndpoint(request.EndpointName!)
      const config = findConfig(request.EndpointConfigName!)
      if (endpoint.status !== 'InService' && endpoint.status !== 'Failed')
        throw validationException(`Cannot update in-progress endpoint "${endpoint.arn}".`)
      if (config.name === endpoint.configName)
        throw validationException('Cannot update an endpoint to the configuration that it already has')
      delete endpoint.failureReason
      saveEndpoint(endpoint, { status: 'Updating' })
      inBackground(applyEndpoint(endpoint, config))
      return { EndpointArn: endpoint.arn }
    },
    deleteEndpoint(name: string): void {
      const endpoint = findEndpoint(name)
      if (endpoint.status === 'Creating' || endpoint.status === 'Updating' || endpoint.status === 'Deleting')
        throw validationException(`Cannot update in-progress endpoint "${endpoint.arn}".`)
      if (componentsOf(name).length > 0)
        throw validationException(
          `Cannot delete endpoint "${endpoint.arn}" because it hosts inference components. Delete them first.`,
        )
      saveEndpoint(endpoint, { status: 'Deleting' })
      inBackground(removeEndpoint(endpoint))
    },
    listEndpoints(request: ListRequest & { StatusEquals?: EndpointStatus }): {
      Endpoints: EndpointSummary[]
      NextToken?: string
    } {
      const wanted = endpoints
        .all()
        .filter(endpoint => request.StatusEquals === undefined || endpoint.status === request.StatusEquals)
      const { page, ...next } = listPage(wanted, request, 'Descending')
      const Endpoints = page.map(endpoint => ({
        EndpointName: endpoint.name,
        EndpointArn: endpoint.arn,
        EndpointStatus: endpoint.status,
        CreationTime: new Date(endpoint.createdAt),
        LastModifiedTime: new Date(endpoint.modifiedAt),
      }))
      return { Endpoints, ...next }
    },

    createInferenceComponent(request: CreateInferenceComponentInput): { InferenceComponentArn: string } {
      const name = request.InferenceComponentName!
      const arn = settings.arnOf('inference-component', name)
      if (components.get(name))
        throw validationException(`Cannot create already existing inference component "${arn}".`)
      const endpoint = findEndpoint(request.EndpointName!)
      if (endpoint.status !== 'InService')
        throw validationException(
          `Cannot create inference component "${arn}" while endpoint "${endpoint.arn}" is in status ${endpoint.status}.`,
        )
      const variant = variantOf(endpoint, request.VariantName)
      if (variant.ModelName)
        throw validationException(
          `Production variant "${variant.VariantName}" hosts a model and cannot host inference components`,
        )
      if (!request.RuntimeConfig) throw validationException('RuntimeConfig is required')
      // Zero is reached by scaling in, never at creation.
      if (request.RuntimeConfig.CopyCount! < 1)
        throw validationException('Inference components copy count an integer larger than 0')
      const specification = assertSpecification(request.Specification)
      servedBySpecification(specification)
      const component: ComponentRecord = {
        ...create('inference-component', name, request),
        specification,
        copyCount: request.RuntimeConfig.CopyCount!,
        status: 'Creating',
        revision: 1,
      }
      components.put(name, component)
      inBackground(applyComponent(component))
      return { InferenceComponentArn: arn }
    },
    describeInferenceComponent(name: string): DescribeInferenceComponentOutput {
      const component = findComponent(name)
      const { specification, request } = component
      const image = imageOf(specification)
      return {
        InferenceComponentName: name,
        InferenceComponentArn: component.arn,
        EndpointName: request.EndpointName,
        EndpointArn: settings.arnOf('endpoint', request.EndpointName!),
        VariantName: request.VariantName,
        InferenceComponentStatus: component.status,
        ...(component.failureReason === undefined ? {} : { FailureReason: component.failureReason }),
        Specification: {
          ModelName: specification.ModelName,
          ...(specification.Container || image
            ? {
                Container: {
                  ArtifactUrl: specification.Container?.ArtifactUrl,
                  Environment: specification.Container?.Environment,
                  DeployedImage: { SpecifiedImage: image, ResolvedImage: image },
                },
              }
            : {}),
          StartupParameters: specification.StartupParameters,
          ComputeResourceRequirements: specification.ComputeResourceRequirements,
        },
        RuntimeConfig: {
          DesiredCopyCount: component.copyCount,
          CurrentCopyCount: servers.get(componentUnit(name))?.server.healthyCopies() ?? 0,
        },
        CreationTime: new Date(component.createdAt),
        LastModifiedTime: new Date(component.modifiedAt),
      }
    },
    updateInferenceComponent(request: UpdateInferenceComponentInput): { InferenceComponentArn: string } {
      if (!request.Specification && !request.RuntimeConfig)
        throw validationException('At least one of Specification and RuntimeConfig is required')
      const component = updatable(findComponent(request.InferenceComponentName!))
      const specification = request.Specification && assertSpecification(request.Specification)
      if (specification) servedBySpecification(specification)
      delete component.failureReason
      saveComponent(component, {
        status: 'Updating',
        copyCount: request.RuntimeConfig?.CopyCount ?? component.copyCount,
      })
      inBackground(applyComponent(component, specification))
      return { InferenceComponentArn: component.arn }
    },
    deleteInferenceComponent(name: string): void {
      const component = findComponent(name)
      if (component.status === 'Deleting')
        throw validationException(
          `Inference component "${component.arn}" cannot be deleted in status DELETE_IN_PROGRESS.`,
        )
      saveComponent(component, { status: 'Deleting' })
      inBackground(removeComponent(component))
    },
    listInferenceComponents(
      request: ListRequest & {
        StatusEquals?: InferenceComponentStatus
        EndpointNameEquals?: string
        VariantNameEquals?: string
      },
    ): { InferenceComponents: InferenceComponentSummary[]; NextToken?: string } {
      const equals = (value: string | undefined, wanted: string | undefined) =>
        wanted === undefined || value === wanted
      const wanted = components
        .all()
        .filter(
          component =>
            equals(component.status, request.StatusEquals) &&
            equals(component.request.EndpointName, request.EndpointNameEquals) &&
            equals(component.request.VariantName, request.VariantNameEquals),
        )
      const { page, ...next } = listPage(wanted, request, 'Descending')
      const InferenceComponents = page.map(component => ({
        InferenceComponentName: component.name,
        InferenceComponentArn: component.arn,
        InferenceComponentStatus: component.status,
        EndpointName: component.request.EndpointName,
        EndpointArn: settings.arnOf('endpoint', component.request.EndpointName!),
        VariantName: component.request.VariantName,
        CreationTime: new Date(component.createdAt),
        LastModifiedTime: new Date(component.modifiedAt),
      }))
      return { InferenceComponents, ...next }
    },

    /** Which server answers an invocation; undefined when there is no such endpoint in service. */
    invocationTarget(endpointName: string, componentName: string | undefined): InvocationTarget | undefined {
      const endpoint = endpoints.get(endpointName)
      if (!endpoint || (endpoint.status !== 'InService' && endpoint.status !== 'Updating')) return undefined
      if (componentName !== undefined) {
        const component = components.get(componentName)
        if (!component || component.request.EndpointName !== endpointName || component.status === 'Deleting')
          return undefined
        const server = servers.get(componentUnit(componentName))?.server
        return {
          name: componentName,
          variant: component.request.VariantName ?? '',
          server,
          isComponent: true,
        }
      }
      const variant = endpoint.variants.find(candidate => candidate.ModelName)
      const name = variant?.VariantName ?? ''
      const server = servers.get(variantUnit(endpointName, name))?.server
      return { name, variant: name, server, isComponent: variant === undefined }
    },
    exists(kind: string, name: string): boolean {
      const folders: Record<string, { get(name: string): unknown }> = {
        model: models,
        'endpoint-config': configs,
        endpoint: endpoints,
        'inference-component': components,
      }
      return folders[kind]?.get(name) !== undefined
    },
    /** Ends every model server; what is in service comes back at the next start. */
    async close(): Promise<void> {
      const stopping = [...[...servers.values()].map(({ server }) => server), ...successors.values()]
      await Promise.all(stopping.map(server => server.stop(false)))
      await Promise.all(background)
    },
  }

  function imageOf(specification: InferenceComponentSpecification): string | undefined {
    if (specification.Container?.Image) return specification.Container.Image
    const model = specification.ModelName ? models.get(specification.ModelName) : undefined
    return model ? containerOf(model).Image : undefined
  }
}

function containerOf(model: ModelRecord): ContainerDefinition {
  return model.request.PrimaryContainer ?? model.request.Containers?.[0] ?? {}
}

function updatable(component: ComponentRecord): ComponentRecord {
  if (component.status === 'InService' || component.status === 'Failed') return component
  throw validationException(
    `Cannot update inference component "${component.arn}" in status ${component.status}.`,
  )
}

function fail(message: string): never {
  throw validationException(message)
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
