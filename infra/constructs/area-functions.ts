import type { Role } from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'
import { access } from '../access.ts'
import { AreaFunction, type AreaFunctionProps, accessOf, functionRole } from './area-function.ts'

type Rooms = Pick<AreaFunctionProps, 'config' | 'foundation'>

/** The functions of one stack, each made when it is first named. */
export class AreaFunctions {
  private readonly made = new Map<string, AreaFunction>()
  private readonly roles = new Map<string, Role>()
  private readonly scope: Construct
  private readonly rooms: Rooms

  constructor(scope: Construct, rooms: Rooms) {
    this.scope = scope
    this.rooms = rooms
  }

  get(entry: string): AreaFunction {
    const known = this.made.get(entry)
    if (known) return known
    const made = new AreaFunction(this.scope, { ...this.rooms, entry, role: this.roleOf(entry) })
    this.made.set(entry, made)
    return made
  }

  /** `check-warrant` -> the one entry of any area with that verb. */
  getByVerb(verb: string, namedBy: string): AreaFunction {
    const entries = Object.keys(access).filter(entry => entry.endsWith(`/${verb}`))
    const [entry] = entries
    if (entry !== undefined && entries.length === 1) return this.get(entry)
    const seen = entries.length === 0 ? 'no row' : entries.join(' and ')
    throw new Error(`${namedBy} names "${verb}": expected one row */${verb} in infra/access.ts, seen ${seen}`)
  }

  private roleOf(entry: string): Role {
    const name = accessOf(entry).role ?? entry
    const role = this.roles.get(name) ?? functionRole(this.scope, name, accessOf(entry), this.rooms.config)
    this.roles.set(name, role)
    return role
  }

  all(): AreaFunction[] {
    return [...this.made.values()]
  }
}
